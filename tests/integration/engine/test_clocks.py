"""Machines whose clocks are off, beside one whose clock is right: nothing is lost, early, late or doubled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import pytest
import redis

from stockyard import Deduplication, Flow, Job, JobState, Keep
from stockyard.model.clock import SteppedClock, system_clock
from tests.support.waiting import eventually
from tests.support.yard import Yard

SKEWS = [-60_000, -2000, 2000, 60_000]
CLOSE_MS = 1500
"""Far less than the smallest skew; a busy machine measures a clock to within half of a slow round trip."""


def off_by(skew_ms: int) -> Callable[[], int]:
    """A machine's clock that runs, but elsewhere."""
    return lambda: system_clock() + skew_ms


@pytest.fixture(params=SKEWS)
async def off(request: pytest.FixtureRequest, redis_url: str, prefix: str) -> AsyncIterator[Yard]:
    """An app on a machine whose clock is off."""
    async with Yard(redis_url, prefix, clock=off_by(request.param)) as yard:
        yield yard


async def nothing(job: Job[Any]) -> None:
    """Handle a job."""


def is_close(moment: float | None) -> bool:
    return moment is not None and abs(moment - system_clock()) < CLOSE_MS


async def test_what_a_producer_writes_is_the_server_s_time(off: Yard, raw: "redis.Redis", prefix: str) -> None:
    queue = off.queue()
    first = await queue.add("x", delay="10m")
    (second,) = await queue.add_many([("x", None, {"delay": "10m"})])
    tied = await queue.add("x", delay="10m", deduplication=Deduplication("one"))
    tree = await off.app.flows.add(Flow("parent", "q", children=[Flow("x", "q", delay="10m")]))
    jobs = [first, second, tied, tree.children[0].job]
    for job in jobs:
        assert is_close(job.timestamp)
        due = float(raw.zscore(f"{prefix}:q:delayed", job.id) or 0) // 4096
        assert is_close(due - 600_000)
    await first.change_delay("20m")
    assert is_close(float(raw.zscore(f"{prefix}:q:delayed", first.id) or 0) // 4096 - 1_200_000)
    schedule = await off.app.schedules("q").upsert("s", every="1h", offset=0)
    assert 0 < schedule.next_run - system_clock() + CLOSE_MS < 3_600_000 + 2 * CLOSE_MS
    silence = await off.app.alerts.silence("failed", duration="1m")
    assert is_close(silence.until - 60_000)
    assert [each.name for each in await off.app.alerts.silences()] == [silence.name]


async def test_a_delay_is_as_long_as_asked_whoever_s_clock_is_off(off: Yard, redis_url: str, prefix: str) -> None:
    async with Yard(redis_url, prefix) as right:
        right.queue()
        for producer, worker in ((off, right), (right, off)):
            running = await worker.work(nothing)
            job = await producer.queue().add("x", delay="300ms")
            await job.wait_for_result(25)
            ended = await job.refresh()
            assert ended.processed_on is not None
            assert 300 - 50 <= ended.processed_on - ended.timestamp < 300 + 10_000
            assert is_close(ended.finished_on)
            await running.stop()


async def test_a_backoff_is_as_long_as_asked_when_workers_disagree(off: Yard, redis_url: str, prefix: str) -> None:
    starts: list[int] = []

    async def flaky(job: Job[Any]) -> None:
        starts.append(system_clock())
        if job.attempt < 4:
            raise ValueError("flaky")

    async with Yard(redis_url, prefix) as right:
        queue = right.queue(attempts=4, backoff="200ms")
        off.queue(attempts=4, backoff="200ms")
        for yard in (right, off):
            await yard.work(flaky)
        await (await queue.add("x")).wait_for_result(25)
    assert all(after - before >= 190 for before, after in pairwise(starts))


async def test_schedules_lose_and_double_nothing_when_workers_disagree(
    off: Yard, redis_url: str, prefix: str
) -> None:
    ran: list[tuple[int, int]] = []

    async def tick(job: Job[Any]) -> None:
        ran.append((int(job.id.rpartition(":")[2]), system_clock()))

    async with Yard(redis_url, prefix) as right:
        right.queue()
        off.queue()
        await right.app.schedules("q").upsert("s", every="250ms", misfire="run_once")
        for yard in (right, off, right, off):
            await yard.work(tick)
        await eventually(lambda: len(ran) >= 16, within=60)
    dues = [due for due, _ in ran]
    assert len(set(dues)) == len(dues)
    for (due, at), (following, _) in pairwise(ran):
        # A slot may be left out only if the run before it was late itself, on a busy machine.
        assert following - due == 250 or at - due > 200


async def test_retention_by_age_follows_the_server(off: Yard, redis_url: str, prefix: str) -> None:
    async with Yard(redis_url, prefix) as right:
        kept = right.queue(remove_on_complete=Keep.within("30s"))
        off.queue(remove_on_complete=Keep.within("30s"))
        worker = await right.work(nothing)
        first = await kept.add("x")
        await first.wait_for_result(25)
        await worker.stop()
        await off.work(nothing)
        second = await kept.add("x")
        await second.wait_for_result(25)
        assert await first.state() is await second.state() is JobState.COMPLETED
        # An operator's clock counts as little.
        assert await off.queue().clean("completed", older_than="30s") == []
        await off.queue().pause()
        await kept.add("x")
        (health,) = await off.app.health("q")
        assert 0 <= health.oldest_waiting_age < CLOSE_MS / 1000


@pytest.mark.parametrize(("skew", "told"), [(60_000, "60.0 s ahead of"), (-2000, "2.0 s behind"), (0, "")])
async def test_a_worker_says_once_that_its_clock_is_off(
    redis_url: str, prefix: str, caplog: pytest.LogCaptureFixture, skew: int, told: str
) -> None:
    async with Yard(redis_url, prefix, clock=off_by(skew)) as yard:
        yard.queue()
        yard.queue("other")
        workers = [await yard.work(nothing, name, stalled_interval="20ms") for name in ("q", "other")]
        sweeper = workers[0]._shards.all[0].stalled_jobs
        for _ in range(3):
            await sweeper.sweep()
    said = [each.getMessage() for each in caplog.records if "this machine's clock" in each.getMessage()]
    assert len(said) == (1 if skew else 0)
    if skew:
        assert "Synchronise the clocks" in said[0]
        # To a tenth of a second, unless the machine is busy.
        assert told in said[0] or abs(yard.app._runtime().server.clock.offset_ms - skew) < CLOSE_MS


async def test_a_clock_that_is_set_while_it_is_used_is_measured_again(redis_url: str, prefix: str) -> None:
    skew = 0
    async with Yard(redis_url, prefix, clock=lambda: system_clock() + skew) as yard:
        queue = yard.queue()
        assert is_close((await queue.add("x")).timestamp)
        skew = 3_600_000
        await queue.add("x")
        assert is_close((await queue.add("x")).timestamp)


async def test_a_clock_that_is_moved_by_hand_means_what_it_says(redis_url: str, prefix: str) -> None:
    clock = SteppedClock(1_000_000_000_000)
    async with Yard(redis_url, prefix, clock=clock) as yard:
        queue = yard.queue()
        job = await queue.add("x", delay="1h")
        assert job.timestamp == 1_000_000_000_000
        await yard.work(nothing, drain_delay=0.05)
        clock.step(3_600_000)
        await (await queue.add("x")).wait_for_result(25)
        await job.wait_for_result(25)
        assert (await job.refresh()).finished_on == 1_000_003_600_000
        await asyncio.sleep(0)

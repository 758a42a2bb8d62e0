"""A clock that a test moves, with what waits for its times."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from stockyard import App, Deduplication, InvalidOption, Job, JobFailed, JobState, Topology
from stockyard.limits import Limits, Rolling
from stockyard.testing import ManualClock, assert_enqueued, drain, eventually, make_app, refute_enqueued, running

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.fixture
def stockyard_clock() -> ManualClock:
    return ManualClock(START)


async def test_nothing_is_due_before_the_clock_says_so(
    stockyard_topology: Topology, stockyard_app: App, stockyard_clock: ManualClock
) -> None:
    spec = stockyard_topology.queue("mail", attempts=2, backoff="10m")
    ran: list[tuple[Any, int]] = []
    begin = stockyard_clock.now

    @spec.handler("welcome")
    async def welcome(job: Job[Any]) -> None:
        ran.append((job.data, stockyard_clock.now - begin))
        if job.data == "fails" and job.attempt == 1:
            raise ValueError("once")

    queue = stockyard_app.queue("mail")
    async with running(stockyard_app.worker("mail")):
        await queue.add("welcome", "late", delay="50ms")
        await queue.add("welcome", "fails")
        await eventually(lambda: ran == [("fails", 0)])
        await stockyard_clock.advance("49ms")
        assert ran == [("fails", 0)]
        await stockyard_clock.advance("1ms")
        assert ran[1:] == [("late", 50)]
        await stockyard_clock.advance("1h")
        assert ran[2:] == [("fails", 600_000)]
    await refute_enqueued(queue)


async def test_a_schedule_runs_at_each_of_its_times(
    stockyard_topology: Topology, stockyard_app: App, stockyard_clock: ManualClock
) -> None:
    spec = stockyard_topology.queue("reports")
    ran: list[str] = []

    @spec.handler("report")
    async def report(job: Job[Any]) -> None:
        ran.append(f"{datetime.fromtimestamp(stockyard_clock.now / 1000, UTC):%d %H:%M}")

    await stockyard_app.schedules("reports").upsert("hourly", cron="0 * * * *", name="report")
    async with running(stockyard_app.worker("reports")):
        await stockyard_clock.move_to(datetime(2026, 3, 2, 14, tzinfo=UTC))
    assert ran == [f"02 {hour}:00" for hour in (10, 11, 12, 13, 14)]


async def test_a_rate_limit_ends_when_its_time_has_passed(
    stockyard_topology: Topology, stockyard_app: App, stockyard_clock: ManualClock
) -> None:
    spec = stockyard_topology.queue("mail", rate="2/1m")
    ran: list[int] = []

    @spec.handler("welcome")
    async def welcome(job: Job[int]) -> None:
        ran.append(job.data)

    await stockyard_app.queue("mail").add_many([("welcome", number) for number in range(9)])
    await drain(stockyard_app)
    assert ran == [0, 1]
    await stockyard_clock.advance("59s")
    await drain(stockyard_app)
    assert ran == [0, 1]
    await stockyard_clock.advance("1s")
    await drain(stockyard_app)
    assert ran == [0, 1, 2, 3]
    async with running(stockyard_app.worker("mail")):
        await stockyard_clock.advance("10m")
        assert ran == list(range(9))


async def test_a_deduplication_ends_and_a_job_expires(
    stockyard_topology: Topology, stockyard_app: App, stockyard_clock: ManualClock
) -> None:
    spec = stockyard_topology.queue("mail")

    @spec.handler("welcome")
    async def welcome(job: Job[Any]) -> None:
        """Do nothing."""

    queue = stockyard_app.queue("mail")
    only_once = Deduplication("a", ttl="1h")
    assert (await queue.add("welcome", deduplication=only_once)).was_added
    await stockyard_clock.advance("59m")
    assert not (await queue.add("welcome", deduplication=only_once)).was_added
    await stockyard_clock.advance("1m")
    assert (await queue.add("welcome", deduplication=only_once)).was_added
    await queue.add("welcome", expires_in="5m")
    await stockyard_clock.advance("5m")
    assert len((await drain(stockyard_app)).completed) == 2


async def test_the_job_of_a_worker_that_is_gone_is_run_by_another(
    stockyard_topology: Topology, stockyard_url: str, stockyard_prefix: str, stockyard_clock: ManualClock
) -> None:
    spec = stockyard_topology.queue("mail", lock="30s")
    starts: list[int] = []

    @spec.handler("welcome")
    async def welcome(job: Job[Any]) -> str:
        starts.append(job.attempts_started)
        if job.attempts_started == 1:
            await asyncio.Event().wait()
        return "done"

    def app() -> App:
        return make_app(stockyard_topology, stockyard_url, prefix=stockyard_prefix, clock=stockyard_clock)

    async with app() as first, app() as second:
        job = await second.queue("mail").add("welcome")
        async with running(first.worker("mail")):
            await eventually(lambda: starts == [1])
            async with running(second.worker("mail")):
                await stockyard_clock.advance("1h")
                assert starts == [1]
                first._runtime().keeper.is_frozen = True  # type: ignore[attr-defined]
                await stockyard_clock.advance("29s")
                assert starts == [1]
                await stockyard_clock.advance("1m")
                assert starts == [1, 2]
                assert await job.wait_for_result("5s") == "done"


async def test_timeouts_of_handlers_and_deadlines_of_effects_come(
    stockyard_topology: Topology, stockyard_app: App, stockyard_clock: ManualClock
) -> None:
    spec = stockyard_topology.queue("orders")
    left: list[float] = []

    @spec.handler("hang")
    async def hang(job: Job[Any]) -> None:
        left.append(0)
        await asyncio.Event().wait()

    @spec.handler("submit")
    async def submit(job: Job[Any]) -> None:
        async with job.effect(job.id, max_duration="10s") as effect:
            left.append(effect.remaining)
            await asyncio.Event().wait()

    queue = stockyard_app.queue("orders")
    async with running(stockyard_app.worker("orders")):
        hung = await queue.add("hang", timeout="20s")
        await eventually(lambda: len(left) == 1)
        await stockyard_clock.advance("19s")
        assert await hung.state() is JobState.ACTIVE
        await stockyard_clock.advance("1s")
        with pytest.raises(JobFailed, match="timed out after 20000 ms"):
            await hung.wait_for_result("5s")
        sent = await queue.add("submit")
        await eventually(lambda: len(left) == 2)
        assert 9 < left[1] <= 10
        await stockyard_clock.advance("11s")
        with pytest.raises(JobFailed, match="effect 2 was not over within its 10 s"):
            await sent.wait_for_result("5s")


async def test_calls_that_wait_for_the_limits_of_an_exchange_go_on(
    stockyard_app: App, stockyard_clock: ManualClock
) -> None:
    limits = stockyard_app.limits(Limits("paper", [Rolling("orders", 1, per="1m")]))
    async with limits.take():
        pass

    async def call() -> int:
        async with limits.take():
            return stockyard_clock.now

    calling = asyncio.create_task(call())
    await eventually(lambda: limits.stats().waiting == 1)
    await stockyard_clock.advance("1m")
    assert await calling == stockyard_clock.now


async def test_a_clock_does_not_go_back_and_asks_for_zones(stockyard_clock: ManualClock) -> None:
    with pytest.raises(InvalidOption, match="it moves forward only"):
        await stockyard_clock.move_to(datetime(2026, 3, 2, 9, tzinfo=UTC))
    with pytest.raises(InvalidOption, match="needs a time zone"):
        await stockyard_clock.move_to(datetime(2026, 3, 2, 10))
    with pytest.raises(InvalidOption, match="by must be a duration"):
        await stockyard_clock.advance("soon")


async def test_the_clocks_of_two_apps_are_their_own(
    stockyard_topology: Topology, stockyard_app: App, stockyard_url: str, stockyard_clock: ManualClock
) -> None:
    stockyard_topology.queue("mail")
    async with make_app(
        stockyard_topology, stockyard_url, prefix=f"{stockyard_app.settings.prefix}-2", clock=ManualClock(START)
    ) as other:
        only_once = Deduplication("a", ttl="1h")
        for app in (stockyard_app, other):
            await app.queue("mail").add("welcome", deduplication=only_once)
        await stockyard_clock.advance("1h")
        assert (await stockyard_app.queue("mail").add("welcome", deduplication=only_once)).was_added
        assert not (await other.queue("mail").add("welcome", deduplication=only_once)).was_added
        await other.queue("mail").obliterate(force=True)
        await assert_enqueued(stockyard_app.queue("mail"), count=2)

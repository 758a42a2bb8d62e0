"""A worker serves all shards of its queue with the places that it has."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import redis

from stockyard import (
    Job,
    JobFailed,
    JobState,
    Queue,
    RateLimited,
)
from stockyard.consume.shard_worker import ShardWorker
from stockyard.model.sharding import part_of, shards_of
from tests.support.waiting import eventually
from tests.support.yard import Yard

QUEUE = "market:ticks"
RUN_SECONDS = 0.01
"""How long a job takes: two that are taken at once overlap."""

KEEP: dict[str, Any] = {"remove_on_complete": False, "remove_on_fail": False}


def tags(number: int = 4) -> list[str]:
    return [shard.tag for shard in shards_of(QUEUE, number)]


@pytest.fixture
def ticks(yard: Yard) -> Queue:
    """A queue with four shards."""
    return yard.queue(QUEUE, shards=4, **KEEP)


def has(things: list[str], number: int) -> bool:
    return len(things) == number


def has_completed(queue: Queue, number: int) -> Callable[[], Any]:
    async def is_so() -> bool:
        return await queue.count("completed") == number

    return is_so


async def test_a_worker_runs_the_jobs_of_all_shards(yard: Yard, ticks: Queue) -> None:
    running = most = 0
    ran: list[str] = []

    async def run(job: Job[int]) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        assert job.queue == QUEUE
        await job.update_progress(50)
        await asyncio.sleep(0)
        running -= 1
        ran.append(job.id)
        return job.data * 2

    jobs = await ticks.add_many([("x", at) for at in range(300)])
    worker = await yard.work(run, QUEUE, concurrency=7)
    assert [await job.wait_for_result(25) for job in jobs] == [at * 2 for at in range(300)]
    assert sorted(ran) == sorted(job.id for job in jobs)
    assert most <= 7
    assert {job.id.partition("@")[2] for job in jobs} == set(tags())
    late = await ticks.add("x", 4)
    assert await late.wait_for_result(25) == 8
    assert all(check.ok for check in worker.health_checks()), worker.health_checks()


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_with_few_places_the_shards_take_turns(yard: Yard, ticks: Queue, concurrency: int) -> None:
    ran: list[str] = []

    async def run(job: Job[int]) -> None:
        ran.append(job.id.partition("@")[2])
        await asyncio.sleep(RUN_SECONDS)

    await ticks.add_many([("x", at) for at in range(200)])
    await yard.work(run, QUEUE, concurrency=concurrency)
    await eventually(has_completed(ticks, 200), within=60)
    # Each shard has 50: when half of them have run, none is far behind.
    halfway = Counter(ran[:100])
    assert all(10 <= halfway[tag] <= 40 for tag in tags()), halfway


async def test_no_worker_is_idle_while_a_shard_has_jobs(yard: Yard, ticks: Queue) -> None:
    """All jobs are of one shard, and a worker that looks only after a minute hears of each."""
    entered: list[str] = []
    go = asyncio.Event()

    async def run(job: Job[Any]) -> None:
        entered.append(job.id)
        await go.wait()

    await yard.work(run, QUEUE, concurrency=4, drain_delay=60)
    await yard.work(run, QUEUE, concurrency=1, drain_delay=60)
    await eventually(lambda: _waits(ticks))
    for number in range(1, 6):
        await ticks.add("x", key="BTCUSDT")
        await eventually(partial(has, entered, number), within=20)
    for key in ("ETHUSDT", "A", "B", "C", "D"):
        await ticks.add("x", key=key)
    go.set()
    await eventually(has_completed(ticks, 10), within=20)


async def _waits(queue: Queue) -> bool:
    return len(await queue.workers()) == 2


async def test_idle_workers_are_woken_for_jobs_that_a_busy_one_leaves(yard: Yard, ticks: Queue) -> None:
    """A worker may take the markers of several shards at once, and has a place for the job of one."""
    entered: list[str] = []
    go = asyncio.Event()

    async def run(job: Job[Any]) -> None:
        entered.append(job.id)
        await go.wait()

    for _ in range(4):
        await yard.work(run, QUEUE, concurrency=1, drain_delay=60)
    for round_ in range(1, 4):
        go.clear()
        await ticks.add_many([("x", None, {"key": key}) for key in _keys_of_all_shards()])
        await eventually(partial(has, entered, 4 * round_), within=20)
        go.set()
        await eventually(has_completed(ticks, 4 * round_), within=20)


def _keys_of_all_shards() -> list[str]:
    found: dict[int, str] = {}
    for at in range(1000):
        found.setdefault(part_of(f"k{at}", 4), f"k{at}")
    return list(found.values())


async def _is_active(job: Job[Any]) -> bool:
    return await job.state() is JobState.ACTIVE


async def test_a_limit_that_a_handler_asks_for_holds_in_all_shards(yard: Yard, ticks: Queue) -> None:
    async def run(job: Job[Any]) -> None:
        raise RateLimited("1h")

    await yard.work(run, QUEUE)
    await ticks.add("x")

    async def is_limited() -> bool:
        return await ticks.rate_limit_left_ms(1) > 3_000_000

    await eventually(is_limited)


async def test_a_running_job_is_cancelled(yard: Yard, ticks: Queue) -> None:
    async def run(job: Job[int]) -> None:
        await asyncio.Event().wait()

    await yard.work(run, QUEUE, concurrency=4)
    jobs = await ticks.add_many([("x", at) for at in range(4)])
    for job in jobs:
        await eventually(partial(_is_active, job))
    await jobs[2].cancel("enough")
    with pytest.raises(JobFailed, match="cancelled: enough"):
        await jobs[2].wait_for_result(25)
    assert [await job.state() for job in jobs].count(JobState.ACTIVE) == 3
    await yard._running[0][0].stop(grace=0)
    assert await ticks.count("active") == 0
    assert await ticks.count("waiting") == 3


async def test_the_jobs_of_a_dead_worker_come_back(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    ticks = yard.queue(QUEUE, shards=4, lock="400ms", **KEEP)
    await ticks.add_many([("x", at) for at in range(4)])
    for shard in shards_of(QUEUE, 4):
        base = f"{prefix}:{shard.queue}:"
        # As a worker leaves it that was killed some time ago.
        raw.rpoplpush(f"{base}wait", f"{base}active")
    ran: list[str] = []

    async def run(job: Job[int]) -> None:
        ran.append(job.id)

    await yard.work(run, QUEUE)
    await eventually(has_completed(ticks, 4), within=20)
    assert sorted(ran) == sorted(f"1@{tag}" for tag in tags())


async def test_handlers_in_processes_reach_their_shard(yard: Yard, ticks: Queue) -> None:
    from tests.support import child_handlers

    await yard.work(child_handlers.report_async, QUEUE, executor="process", concurrency=2)
    jobs = await ticks.add_many([("x", at) for at in range(4)])
    for job in jobs:
        await job.wait_for_result(60)
        assert (await job.refresh()).progress is not None


def _is_waiting(shard: ShardWorker) -> bool:
    return not shard.fetcher.reserved and not math.isinf(shard.blocking_taker.waits_until)


async def test_concurrency_is_changed_while_a_worker_waits(yard: Yard, ticks: Queue) -> None:
    running = most = 0

    async def run(job: Job[int]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(RUN_SECONDS)
        running -= 1

    worker = await yard.work(run, QUEUE, concurrency=8)
    # A call that has asked for jobs already may still bring them.
    await eventually(
        lambda: all(shard.fetcher.reserved == 0 and _is_waiting(shard) for shard in worker._shards.all)
    )
    worker.concurrency = 1
    for job in await ticks.add_many([("x", at) for at in range(12)]):
        await job.wait_for_result(25)
    assert most == 1


async def test_a_worker_that_waits_does_nothing_else(yard: Yard, ticks: Queue, raw: "redis.Redis") -> None:
    """With one place, the looks of the shards keep each other waiting, and their markers must not go round."""

    async def run(job: Job[Any]) -> None: ...

    def waits() -> int:
        stats: Any = raw.info("commandstats")
        return int(stats["cmdstat_bzpopmin"]["calls"])

    for _ in range(2):
        await yard.work(run, QUEUE, concurrency=1, drain_delay=60)
    await (await ticks.add("x")).wait_for_result(25)
    before = waits()
    for at in range(40):
        await (await ticks.add("x", key=f"k{at % 8}")).wait_for_result(25)
    assert waits() - before < 40 * 8

"""Limits of a queue over all its workers: starts in a window, a limit set by hand, jobs at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis

from stockyard import Job, JobState, Queue
from tests.support.waiting import eventually
from tests.support.yard import Yard

WINDOW = 500
Change = Callable[[Queue], Awaitable[None]]


class Starts:
    """When jobs were started, in milliseconds, and how many ran at once."""

    def __init__(self) -> None:
        self.at: list[int] = []
        self.most = 0
        self._running = 0

    async def handle(self, job: Job[Any]) -> None:
        self.at.append(job.processed_on or 0)
        self._running += 1
        self.most = max(self.most, self._running)
        await asyncio.sleep(job.data or 0)
        self._running -= 1


def per_window(at: list[int], window: int) -> list[int]:
    """How many of each window; a window begins at the first start that is not in the one before."""
    counts: list[int] = []
    begun = -window
    for each in sorted(at):
        # Keys of the server expire within a few milliseconds of their time.
        if each - begun > window - 5:
            begun = each
            counts.append(0)
        counts[-1] += 1
    return counts


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("where", ["worker", "queue", "both"])
async def test_no_window_has_more_starts_than_allowed(
    yard: Yard, raw: "redis.Redis", prefix: str, workers: int, where: str
) -> None:
    """With both, the number of the queue counts, and the window of the worker."""
    rates = {"worker": "5/500ms", "queue": None, "both": "50/500ms"}
    queue = yard.queue(rate=rates[where])
    if where != "worker":
        await queue.set_rate("5/9s" if where == "both" else "5/500ms")
    starts = Starts()
    for _ in range(workers):
        await yard.work(starts.handle, concurrency=20)
    await queue.add_many([("x", None)] * 22)
    await eventually(lambda: len(starts.at) == 22)
    # By the server's clock: what a worker has noted may reach the server a little later.
    events: Any = raw.xrange(f"{prefix}:q:events")
    counts = per_window([int(id_.split("-")[0]) for id_, fields in events if fields["event"] == "active"], WINDOW)
    assert sum(counts) == 22
    assert max(counts) <= 5
    assert counts[0] == 5


async def test_a_window_that_several_calls_share_is_followed_by_the_next(yard: Yard) -> None:
    """More than one call's worth in each window: one call is refused beside one that is not."""
    queue = yard.queue(rate="100/50ms", concurrency=100)
    starts = Starts()
    await queue.add_many([("x", None)] * 1500)
    await yard.work(starts.handle)
    await eventually(lambda: len(starts.at) == 1500)


async def test_a_job_that_limits_its_queue_is_the_first_one_after_that(
    yard: Yard, raw: "redis.Redis", prefix: str
) -> None:
    queue = yard.queue()
    order: list[tuple[str, float]] = []

    async def limited_once(job: Job[Any]) -> None:
        order.append((job.id, time.monotonic()))
        if job.data == "limits" and job.attempts_started == 1:
            await job.rate_limit("300ms")

    jobs = await queue.add_many([("x", "limits"), ("x", None), ("x", None)])
    await yard.work(limited_once)
    await yard.work(limited_once)
    for job in jobs:
        await job.wait_for_result(25)
    began = order[0][1]
    after = [(job_id, at) for job_id, at in order if at - began > 0.25]
    assert jobs[0].id in {job_id for job_id, _ in after[:2]}
    assert all(at - began >= 0.29 for _, at in after)
    # The other worker may have taken one in the moment before the limit was written.
    assert len(order) - len(after) <= 2
    assert (await jobs[0].refresh()).attempts_made == 1


async def test_a_limit_set_from_outside_holds_everybody_and_can_be_taken_back(yard: Yard) -> None:
    queue = yard.queue()
    starts = Starts()
    await queue.rate_limit("400ms")
    before = time.time() * 1000
    job = await queue.add("x")
    await yard.work(starts.handle)
    await yard.work(starts.handle)
    await job.wait_for_result(25)
    assert starts.at[0] - before >= 390

    await queue.rate_limit("1h")
    await queue.clear_rate_limit()
    await (await queue.add("x")).wait_for_result(25)


async def hold_by_hand(queue: Queue) -> None:
    await queue.rate_limit("10m")


async def hold_by_rate(queue: Queue) -> None:
    await queue.set_rate("1/10m")
    await (await queue.add("x")).wait_for_result(25)


async def raise_rate(queue: Queue) -> None:
    await queue.set_rate("50/10m")


async def shorten_window(queue: Queue) -> None:
    await queue.set_rate("1/1ms")


async def take_rate_off(queue: Queue) -> None:
    await queue.set_rate(None)


async def clear(queue: Queue) -> None:
    await queue.clear_rate_limit()


async def delete_key(queue: Queue) -> None:
    """As BullMQ does, which rings for nobody."""
    await queue._keyspace.server.call("DEL", queue._keyspace.keys["limiter"])


@pytest.mark.parametrize(
    ("hold", "take_back"),
    [
        (hold_by_hand, clear),
        (hold_by_hand, delete_key),
        (hold_by_rate, clear),
        (hold_by_rate, raise_rate),
        (hold_by_rate, shorten_window),
        (hold_by_rate, take_rate_off),
    ],
)
@pytest.mark.parametrize("knows", [True, False], ids=["it was limited", "it starts limited"])
async def test_a_limit_of_minutes_that_is_taken_back_ends_at_once(
    yard: Yard, hold: Change, take_back: Change, knows: bool
) -> None:
    queue = yard.queue()
    await yard.work(Starts().handle)
    await hold(queue)
    if knows:
        job = await queue.add("x")
        await eventually(lambda: _is_limited(yard))
        assert await job.state() is JobState.WAITING
        await take_back(queue)
    else:
        await take_back(queue)
        job = await queue.add("x")
    await job.wait_for_result(25)


def _is_limited(yard: Yard) -> bool:
    return yard._running[0][0]._shards.all[0].fetcher._demand.is_limited


async def test_a_limited_worker_is_paused_and_bounded_like_any_other(yard: Yard) -> None:
    queue = yard.queue()
    starts = Starts()
    await yard.work(starts.handle, concurrency=5)
    await queue.rate_limit("10m")
    jobs = await queue.add_many([("x", 0.02)] * 6)
    await eventually(lambda: _is_limited(yard))
    await queue.set_concurrency(2)
    await queue.pause()
    await queue.clear_rate_limit()
    await eventually(lambda: not _is_limited(yard))
    assert starts.at == []
    await queue.resume()
    for job in jobs:
        await job.wait_for_result(25)
    assert starts.most == 2


async def test_delayed_jobs_are_promoted_while_their_queue_is_limited(yard: Yard) -> None:
    queue = yard.queue()
    await queue.rate_limit("1500ms")
    await yard.work(Starts().handle)
    job = await queue.add("x", delay="1s")
    await job.wait_for_result(25)
    assert await job.state() is JobState.COMPLETED


async def test_a_queue_s_own_concurrency_holds_over_all_workers(yard: Yard) -> None:
    queue = yard.queue()
    await queue.set_concurrency(2)
    starts = Starts()
    for _ in range(3):
        await yard.work(starts.handle, concurrency=4)
    jobs = await queue.add_many([("x", 0.02)] * 12)
    for job in jobs:
        await job.wait_for_result(25)
    assert starts.most == 2


async def test_a_worker_that_stops_leaves_its_room_to_others_at_once(yard: Yard) -> None:
    """Its last run is written without a take; the other one would otherwise sleep until it looks by itself."""
    queue = yard.queue()
    await queue.set_concurrency(1)
    release = asyncio.Event()

    async def hold(job: Job[Any]) -> str:
        await release.wait()
        return "first"

    async def other(job: Job[Any]) -> str:
        return "other"

    first = await yard.work(hold)
    running = await queue.add("x")
    await eventually(lambda: first.running == 1)
    await yard.work(other, drain_delay=60)
    waiting = await queue.add("x")
    stopping = asyncio.create_task(first.stop())
    await asyncio.sleep(0)
    release.set()
    await stopping
    assert await running.wait_for_result(25) == "first"
    assert await waiting.wait_for_result(5) == "other"

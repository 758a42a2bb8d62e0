"""Limits that Node's workers and ours share: starts in a window, jobs at a time; and the counts by the minute."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
import redis

from stockyard import App, Queue
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts
from tests.support.waiting import eventually

WINDOW_MS = 400
MINUTE = 60_000


def starts_per_window(raw: Any, base: str, jobs: int) -> list[int]:
    """How many started in each window; a window begins with the first start after the one before."""
    starts = sorted(int(raw.hget(f"{base}:{number}", "processedOn")) for number in range(1, jobs + 1))
    counts: list[int] = []
    begun = float("-inf")
    for at in starts:
        # A start bears its worker's time, which is a moment before the server's.
        if at - begun > WINDOW_MS - 15:
            begun = at
            counts.append(0)
        counts[-1] += 1
    return counts


def most_at_once(raw: Any, base: str) -> int:
    """How many jobs were active at the same time, by the order of the events."""
    active = most = 0
    for _, fields in raw.xrange(f"{base}:events"):
        active += {"active": 1, "completed": -1}.get(fields["event"], 0)
        most = max(most, active)
    return most


@pytest.mark.parametrize("where", ["set by node", "set by us", "each worker's own"])
async def test_no_window_has_more_starts_than_allowed(
    node: NodePeer, queue: NodeObject, open_app: Any, work: Work, raw: "redis.Redis", prefix: str, where: str
) -> None:
    of_workers = where == "each worker's own"
    app: App = open_app(q={"rate": f"5/{WINDOW_MS}ms"} if of_workers else {})
    ours = app.queue("q")
    if where == "set by node":
        await queue.setGlobalRateLimit(5, WINDOW_MS)
    elif where == "set by us":
        await ours.set_rate(f"5/{WINDOW_MS}ms")
    await ours.add_many([("echo", n) for n in range(32)])
    limiter = {"limiter": {"max": 5, "duration": WINDOW_MS}} if of_workers else {}
    async with AsyncExitStack() as running:
        for _ in range(2):
            await node.worker("q", name="node", concurrency=3, **limiter)
            await running.enter_async_context(work(app=app, name="ours", concurrency=3))
        await eventually(lambda: has_counts(queue, completed=32))
    counts = starts_per_window(raw, f"{prefix}:q", 32)
    assert max(counts) == 5
    # Nobody sleeps through a window either.
    assert len(counts) <= 9
    assert {raw.hget(f"{prefix}:q:{n}", "pb") for n in range(1, 33)} == {"node", "ours"}


@pytest.mark.parametrize("by_node", [True, False])
async def test_a_queue_s_own_concurrency_holds_over_both(
    node: NodePeer, queue: NodeObject, ours: Queue, work: Work, raw: "redis.Redis", prefix: str, by_node: bool
) -> None:
    if by_node:
        await queue.setGlobalConcurrency(2)
    else:
        await ours.set_concurrency(2)
    await ours.add_many([("slow", {"ms": 10})] * 40)
    async with AsyncExitStack() as running:
        for _ in range(2):
            await node.worker("q", name="node", concurrency=3)
            await running.enter_async_context(work(name="ours", concurrency=3))
        await eventually(lambda: has_counts(queue, completed=40))
    assert most_at_once(raw, f"{prefix}:q") == 2


async def test_a_limit_from_node_s_handler_holds_our_workers(
    node: NodePeer, queue: NodeObject, ours: Queue, work: Work, raw: "redis.Redis", prefix: str
) -> None:
    """No limit is configured anywhere: Node's own workers would pass over it, ours do not."""
    first = await ours.add("limit_once", {"ms": 700})
    worker = await node.worker("q")
    await eventually(lambda: raw.get(f"{prefix}:q:limiter"))
    await worker.close()
    second = await ours.add("echo", 2)
    async with work():
        await second.wait_for_result(25)
        await first.wait_for_result(25)
    started = [(await each.refresh()).processed_on or 0 for each in (first, second)]
    assert started[0] <= started[1]
    assert started[0] - first.timestamp >= 690


async def test_a_limit_that_node_takes_back_ends_for_our_workers(
    queue: NodeObject, ours: Queue, work: Work
) -> None:
    await ours.rate_limit("10m")
    job = await ours.add("echo", 1)
    async with work():
        await eventually(lambda: ours.count("waiting"))
        await queue.removeRateLimitKey()
        await job.wait_for_result(25)


async def count(side: str, node: NodePeer, queue: NodeObject, ours: Queue, work: Work, ended: int) -> None:
    """One more job completes and one more fails, at the hands of a side's worker."""
    await ours.add("echo", 1)
    await ours.add("fail", {"reason": "no"})
    if side == "node":
        worker = await node.worker("q", metrics={"maxDataPoints": 4})
        await eventually(lambda: has_counts(queue, completed=ended, failed=ended))
        await worker.close()
    else:
        async with work(metrics_minutes=4):
            await eventually(lambda: has_counts(queue, completed=ended, failed=ended))


def rewind(raw: Any, base: str, minutes: int) -> None:
    """Let the last count be so many minutes old."""
    for target in ("completed", "failed"):
        raw.hincrby(f"{base}:metrics:{target}", "prevTS", -minutes * MINUTE)


def expected(ends: list[int], pauses: tuple[int, ...], kept: int) -> tuple[int, int, list[int]]:
    """Number, number before the minute that runs, and points, by the protocol's own words."""
    since, before, points = ends[0], 0, list[int]()
    for number, (now, pause) in enumerate(zip(ends[1:], pauses[1:], strict=True), 1):
        passed = min(now // MINUTE - (since - pause * MINUTE) // MINUTE, kept)
        since -= pause * MINUTE
        if passed > 0:
            points = ([0] * (passed - 1) + [number - before, *points])[:kept]
            since, before = now, number
    return len(ends), before, points


@pytest.mark.parametrize("sides", ["node node node node", "ours ours ours ours", "node ours node ours"])
async def test_both_count_by_the_minute_alike(
    node: NodePeer, queue: NodeObject, ours: Queue, work: Work, raw: Any, prefix: str, sides: str
) -> None:
    base, pauses = f"{prefix}:q", (0, 3, 1, 9)
    for number, (side, pause) in enumerate(zip(sides.split(), pauses, strict=True), 1):
        if pause:
            rewind(raw, base, pause)
        await count(side, node, queue, ours, work, number)
    for target in ("completed", "failed"):
        ends = [int(score) for _, score in raw.zrange(f"{base}:{target}", 0, -1, withscores=True)]
        fields = raw.hgetall(f"{base}:metrics:{target}")
        points = [int(each) for each in raw.lrange(f"{base}:metrics:{target}:data", 0, -1)]
        assert (int(fields["count"]), int(fields["prevCount"]), points) == expected(ends, pauses, 4)
    read = await queue.getMetrics("completed")
    assert (read["meta"]["count"], read["count"]) == (4, 4)

"""Pauses, global concurrency and global rate limits that Node sets hold for our workers."""

from collections.abc import Callable
from typing import Any

from stockyard import App, Job, Queue
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts, is_drained, is_in
from tests.support.waiting import eventually


async def test_a_paused_queue_rests_and_a_resumed_one_runs(
    queue: NodeObject, ours: Queue, app: App, work: Work
) -> None:
    await queue.pause()
    async with work(drain_delay=0.02):
        await ours.add("echo", 1)
        await queue.add("echo", 2, {"priority": 1})
        due = await queue.add("echo", 3, {"delay": 1})
        # That the due one waits shows that our worker looked, and took nothing.
        await eventually(lambda: is_in(queue, "waiting", due["id"]))
        assert await has_counts(queue, waiting=2, prioritized=1, active=0, completed=0)
        assert (await app.health("q"))[0].paused
        await queue.resume()
        await eventually(lambda: has_counts(queue, completed=3))
        assert not (await app.health("q"))[0].paused


async def test_resuming_wakes_a_worker_that_waits(queue: NodeObject, work: Work) -> None:
    async with work(drain_delay=60):
        await eventually(lambda: _is_listed(queue))
        await queue.pause()
        await queue.add("echo", 1)
        await queue.resume()
        await eventually(lambda: has_counts(queue, completed=1), within=8)


async def test_a_running_job_ends_while_paused(queue: NodeObject, events: NodeObject, work: Work) -> None:
    async with work():
        added = await queue.add("slow", {"ms": 100})
        await eventually(lambda: is_in(queue, "active", added["id"]))
        await queue.pause()
        await queue.add("echo", 1)
        await queue.job(added["id"], "waitUntilFinished", events, 5000)
        assert await has_counts(queue, waiting=1, active=0, completed=1)


async def test_global_concurrency_bounds_all_workers(queue: NodeObject, work: Work) -> None:
    await queue.setGlobalConcurrency(2)
    most = 0

    async def handle(job: Job[Any]) -> None:
        nonlocal most
        most = max(most, await queue.getActiveCount())

    await queue.addBulk([{"name": "echo", "data": 1} for _ in range(20)])
    async with work(handle, concurrency=10, drain_delay=0.02), work(handle, concurrency=10, drain_delay=0.02):
        await eventually(lambda: has_counts(queue, completed=20))
    assert most == 2


async def test_a_global_rate_limit_bounds_all_workers(queue: NodeObject, work: Work) -> None:
    await queue.setGlobalRateLimit(4, 300)
    await queue.addBulk([{"name": "echo", "data": 1} for _ in range(10)])
    async with work(concurrency=10), work(concurrency=10):
        await eventually(lambda: has_counts(queue, completed=10))
    starts = sorted(job["processedOn"] for job in await queue.getJobs(["completed"]))
    assert all(later - earlier >= 250 for earlier, later in zip(starts, starts[4:], strict=False))


async def test_a_limit_that_node_takes_off_is_gone(queue: NodeObject, events: NodeObject, work: Work) -> None:
    await queue.setGlobalRateLimit(1, 60_000)
    async with work(drain_delay=0.02):
        await queue.addBulk([{"name": "echo", "data": 1} for _ in range(2)])
        await eventually(lambda: has_counts(queue, completed=1, waiting=1))
        assert await queue.getRateLimitTtl() > 0
    await queue.removeGlobalRateLimit()
    async with work():
        await eventually(lambda: is_drained(events))
    assert await has_counts(queue, completed=2)


async def test_a_manual_limit_of_node_holds_for_us(queue: NodeObject, events: NodeObject, work: Work) -> None:
    await queue.setGlobalRateLimit(100, 1000)
    await queue.rateLimit(300)
    added = await queue.add("echo", 1)
    async with work(drain_delay=0.02):
        await queue.job(added["id"], "waitUntilFinished", events, 5000)
    assert (await queue.getJob(added["id"]))["processedOn"] >= added["timestamp"] + 250


async def test_both_sides_workers_share_one_limit(
    node: NodePeer, queue: NodeObject, open_app: Callable[..., App], work: Work
) -> None:
    app = open_app(q={"rate": "4/300ms", "concurrency": 10})
    await queue.addBulk([{"name": "echo", "data": 1} for _ in range(12)])
    await node.worker("q", concurrency=10, limiter={"max": 4, "duration": 300})
    async with work(app=app):
        await eventually(lambda: has_counts(queue, completed=12))
    starts = sorted(job["processedOn"] for job in await queue.getJobs(["completed"]))
    assert all(later - earlier >= 250 for earlier, later in zip(starts, starts[4:], strict=False))


async def _is_listed(queue: NodeObject) -> bool:
    return bool(await queue.getWorkersCount() == 1)


async def test_a_job_that_we_cancel_fails_on_a_node_worker_without_being_run(
    queue: NodeObject, node: NodePeer, ours: Queue
) -> None:
    job = await ours.add("echo", 1)
    await job.cancel("not wanted")
    worker = await node.worker("q")
    await eventually(lambda: is_in(queue, "failed", job.id))
    assert (await job.refresh()).failed_reason == "cancelled: not wanted"
    assert await worker.read("started") == []

"""Queues with priority aging and with payload versions that Node adds to and works on."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from stockyard import App, Job
from stockyard.model.clock import SteppedClock
from tests.support.node import NodeObject, NodePeer
from tests.support.waiting import eventually

NOW = 1_700_000_000_000
MINUTE = 60_000


async def test_node_takes_jobs_in_the_order_of_aging_and_its_own_are_given_their_place(
    node: NodePeer, queue: NodeObject, open_app: Callable[..., App]
) -> None:
    clock = SteppedClock(NOW)
    ours = open_app(clock=clock, q={"priority": 10, "aging": "1m"}).queue("q")
    await ours.add("echo", "low", priority=15)
    await queue.add("echo", "node", {"priority": 15})
    clock.step(11 * MINUTE)
    # Node's counts from this add on, which finds it.
    await ours.add("echo", "high", priority=5)
    await queue.add("echo", "urgent", {})
    worker = await node.worker("q", concurrency=1)

    async def started() -> list[Any]:
        return [job["data"] for job in await worker.read("started")]

    async def all_started() -> bool:
        return len(await started()) == 4

    await eventually(all_started)
    assert await started() == ["urgent", "low", "high", "node"]


async def test_node_runs_what_it_finds_whatever_its_version(
    node: NodePeer, queue: NodeObject, open_app: Callable[..., App]
) -> None:
    app = open_app(q={"version": 2})
    ours = app.queue("q")
    await node.worker("q")
    assert await (await ours.add("echo", "ours")).wait_for_result(20) == "ours"
    added = await ours.get_job((await queue.add("echo", "theirs"))["id"])
    assert added is not None
    assert await added.wait_for_result(20) == "theirs"
    stored = await ours.add("echo", "stored", delay="1h")
    assert (await queue.getJob(stored.id))["opts"]["version"] == 2


async def test_jobs_that_node_adds_are_divided_by_a_canary(
    node: NodePeer, queue: NodeObject, open_app: Callable[..., App]
) -> None:
    """They name no version, so they are of the first one; their ids are those that Node's counter gives."""
    ran: dict[str, set[str]] = {"old": set(), "new": set()}

    def noting(fleet: str) -> Callable[[Job[Any]], Awaitable[None]]:
        async def handle(job: Job[Any]) -> None:
            ran[fleet].add(job.id)

        return handle

    old, new = open_app(q={"version": 1}), open_app(q={"version": 2, "versions": (1, 2)})
    await old.queue("q").set_canary(2, 0.3)
    workers = [old.worker("q", noting("old")), new.worker("q", noting("new"))]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    for worker in workers:
        await worker.ready.wait()
    ids = [(await queue.add("echo", number))["id"] for number in range(60)]
    await eventually(lambda: len(ran["old"]) + len(ran["new"]) == 60)
    drawn = {each: int(hashlib.sha1(f"2:{each}".encode()).hexdigest()[:8], 16) / 2**32 for each in ids}
    assert ran["new"] == {each for each in ids if drawn[each] < 0.3}
    for worker in workers:
        await worker.stop()
    await asyncio.gather(*running)
    assert await queue.getJobCounts("waiting", "active", "delayed", "failed") == {
        "waiting": 0, "active": 0, "delayed": 0, "failed": 0,
    }  # fmt: skip

"""Queues with priority aging and with payload versions that Node adds to and works on."""

from collections.abc import Callable
from typing import Any

from stockyard import App
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

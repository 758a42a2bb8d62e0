"""A queue that is halted holds Node's workers, too; and what Node does to it does not end that."""

from typing import Any

from stockyard import App, Queue
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts
from tests.support.waiting import eventually, stays


async def test_a_node_worker_starts_nothing_of_a_halted_queue(
    node: NodePeer, queue: NodeObject, ours: Queue, app: App
) -> None:
    worker: Any = await node.worker("q")
    await app.halt("q", reason="runaway", by="ada")
    await ours.add("echo", 1)
    await queue.add("echo", 2, {"priority": 1})
    await stays(lambda: has_counts(queue, waiting=1, prioritized=1, active=0, completed=0), during=0.3)
    await app.resume("q", by="ada")
    await eventually(lambda: has_counts(queue, completed=2))
    await worker.close()


async def test_our_workers_pause_again_what_node_resumes(queue: NodeObject, app: App, work: Work) -> None:
    await app.halt("q", reason="runaway", by="ada")
    async with work():
        await queue.resume()
        await eventually(lambda: queue.isPaused())
    await app.resume("q", by="ada")
    assert not await queue.isPaused()

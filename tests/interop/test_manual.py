"""Jobs that are taken by hand on one side and ended by hand on the other: both write the same leases and ends."""

from stockyard import App, Backoff, Queue
from tests.support.node import NodeObject, NodePeer, has_counts, is_in, names_of
from tests.support.waiting import eventually


async def test_node_sees_a_job_that_we_take_and_complete(queue: NodeObject, events: NodeObject, app: App) -> None:
    added = await queue.add("echo", {"x": 1})
    manual = app.manual_worker("q", name="bridge")
    taken = await manual.take("our-token")
    assert taken is not None
    assert taken.job.data == {"x": 1}
    assert await is_in(queue, "active", added["id"])
    await taken.complete({"y": 2})
    assert await queue.job(added["id"], "waitUntilFinished", events, 5000) == {"y": 2}
    await eventually(lambda: _has_drained(events))
    assert await names_of(events) == ["added", "waiting", "active", "completed", "drained"]


async def test_we_end_a_job_that_node_took_by_hand(node: NodePeer, queue: NodeObject, app: App) -> None:
    worker = await node.worker("q", autorun=False)
    added = await queue.add("echo", {"x": 1}, {"attempts": 2})
    await worker.getNextJob("node-token")
    manual = app.manual_worker("q")
    await (await manual.resume(added["id"], "node-token")).fail(ValueError("no"))
    await worker.getNextJob("node-token")
    await (await manual.resume(added["id"], "node-token")).complete("done")
    (job,) = await queue.getJobs(["completed"])
    assert (job["returnvalue"], job["attemptsMade"], job["attemptsStarted"]) == ("done", 2, 2)


async def test_node_ends_a_job_that_we_took_by_hand(queue: NodeObject, ours: Queue, app: App) -> None:
    job = await ours.add("echo", attempts=2, backoff=Backoff.fixed("1h"))
    taken = await app.manual_worker("q").take("our-token")
    assert taken is not None
    await queue.job(job.id, "extendLock", "our-token", 60_000)
    await queue.job(job.id, "moveToDelayed", 1, "our-token")
    await job.promote()
    taken = await app.manual_worker("q").take("our-token")
    assert taken is not None
    await queue.job(job.id, "moveToCompleted", {"by": "node"}, "our-token", False)
    assert (await job.refresh()).return_value == {"by": "node"}
    assert await has_counts(queue, completed=1, active=0)


async def _has_drained(events: NodeObject) -> bool:
    return "drained" in await names_of(events)

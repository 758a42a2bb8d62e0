"""We add, Node processes, and we see what came of it."""

from datetime import timedelta
from typing import Any

import pytest

from stockyard import Backoff, JobFailed, JobState, Keep, Queue
from stockyard.errors import JobLocked
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts, is_drained, is_in, names_of
from tests.support.waiting import eventually


async def test_a_job_of_ours_comes_back_with_nodes_result(node: NodePeer, events: NodeObject, ours: Queue) -> None:
    sent = {"user": "Zoë 🚀", "nested": {"list": [1, 2.5, None, True]}, "empty": {}, "path": "a/b\\c"}
    worker = await node.worker("q", name="node-1")
    added = await ours.add("echo", sent)
    assert await added.wait_for_result(5) == sent

    (seen,) = await worker.read("started")
    assert (seen["id"], seen["name"], seen["data"], seen["timestamp"]) == (added.id, "echo", sent, added.timestamp)
    job = await added.refresh()
    assert (job.return_value, job.processed_by) == (sent, "node-1")
    assert (job.attempts_made, job.attempts_started, job.failed_reason) == (1, 1, None)
    assert await job.state() == JobState.COMPLETED
    await eventually(lambda: is_drained(events))
    assert await names_of(events) == ["added", "waiting", "active", "completed", "drained"]


@pytest.mark.parametrize("value", [None, "", "text", 0, -1.5, True, [], {}, [None], {"a": "1"}])
async def test_every_kind_of_payload_arrives(node: NodePeer, ours: Queue, value: Any) -> None:
    await node.worker("q")
    added = await ours.add("echo", value)
    assert await added.wait_for_result(5) == value


async def test_without_a_payload_an_empty_object_is_stored_as_on_node(node: NodePeer, ours: Queue) -> None:
    await node.worker("q")
    assert await (await ours.add("echo")).wait_for_result(5) == {}


async def test_node_reads_our_options_as_its_own(queue: NodeObject, ours: Queue) -> None:
    added = await ours.add(
        "submit",
        {},
        job_id="order-1",
        delay="1h",
        priority=7,
        attempts=4,
        backoff=Backoff.exponential("1s", jitter=0.5),
        lifo=True,
        remove_on_complete=Keep.within("1h", 10),
        remove_on_fail=True,
    )
    stored = await queue.getJob("order-1")
    assert stored["opts"] == {
        "jobId": "order-1",
        "delay": 3_600_000,
        "priority": 7,
        "attempts": 4,
        "backoff": {"type": "exponential", "delay": 1000, "jitter": 0.5},
        "lifo": True,
        "removeOnComplete": {"age": 3600, "count": 10},
        "removeOnFail": True,
    }
    assert (stored["delay"], stored["priority"]) == (3_600_000, 7)
    assert stored["timestamp"] == added.timestamp
    assert [each["id"] for each in await queue.getDelayed()] == ["order-1"]


async def test_a_failure_in_node_reaches_us(node: NodePeer, ours: Queue) -> None:
    await node.worker("q")
    added = await ours.add("fail", {"reason": 'no "margin" left'}, attempts=2)
    with pytest.raises(JobFailed) as failure:
        await added.wait_for_result(5)
    assert failure.value.reason == 'no "margin" left'
    job = await added.refresh()
    assert (job.failed_reason, job.attempts_made, len(job.stacktrace)) == ('no "margin" left', 2, 2)
    assert await job.state() == JobState.FAILED


async def test_node_waits_between_attempts_as_we_asked(node: NodePeer, events: NodeObject, ours: Queue) -> None:
    await node.worker("q")
    added = await ours.add("fail_first", {"times": 2}, attempts=3, backoff=timedelta(milliseconds=30))
    assert await added.wait_for_result(5) == 3
    retry = ["delayed", "waiting", "active"]
    await eventually(lambda: is_drained(events))
    assert await names_of(events) == ["added", "waiting", "active", *retry, *retry, "completed", "drained"]


async def test_a_delayed_job_of_ours_waits_in_node(node: NodePeer, ours: Queue) -> None:
    worker = await node.worker("q")
    added = await ours.add("echo", 1, delay=0.25)
    assert await added.state() == JobState.DELAYED
    assert await added.wait_for_result(5) == 1
    (seen,) = await worker.read("started")
    assert seen["processedOn"] >= added.timestamp + 250


async def test_both_sides_jobs_run_in_one_order(node: NodePeer, queue: NodeObject, ours: Queue) -> None:
    await ours.add("nothing", 1, priority=2)
    await queue.add("nothing", 2, {"priority": 2})
    await ours.add("nothing", 3, priority=2)
    await queue.add("nothing", 4)
    await ours.add("nothing", 5)
    await queue.add("nothing", 6, {"lifo": True})
    await ours.add("nothing", 7, lifo=True)
    await ours.add_many([("nothing", 8), ("nothing", 9, {"lifo": True}), ("nothing", 10, {"priority": 1})])
    worker = await node.worker("q")
    await eventually(lambda: has_counts(queue, completed=10))
    assert [job["data"] for job in await worker.read("started")] == [9, 7, 6, 4, 5, 8, 10, 1, 2, 3]


async def test_a_custom_id_is_added_once_by_whom_ever(
    queue: NodeObject, events: NodeObject, ours: Queue, work: Work
) -> None:
    first = await ours.add("echo", "ours", job_id="fill-456")
    again = await queue.add("echo", "node's", {"jobId": "fill-456"})
    other = await queue.add("echo", "node's", {"jobId": "fill-457"})
    once_more = await ours.add("echo", "ours", job_id="fill-457")
    assert (first.id, again["id"]) == ("fill-456", "fill-456")
    assert (other["id"], once_more.id) == ("fill-457", "fill-457")
    assert (await ours.counts())[JobState.WAITING] == 2
    async with work():
        assert await first.wait_for_result(5) == "ours"
        assert await once_more.wait_for_result(5) == "node's"
    assert (await queue.add("echo", 3))["id"] == "5"
    assert (await names_of(events)).count("duplicated") == 2


async def test_progress_and_log_of_node_are_seen_by_us(node: NodePeer, ours: Queue) -> None:
    await node.worker("q")
    added = await ours.add("report", {"progress": [1, {"done": [1, 2]}], "lines": ["one", "two Ω"]})
    await added.wait_for_result(5)
    assert (await added.refresh()).progress == {"done": [1, 2]}
    assert await added.logs() == ["one", "two Ω"]


async def test_we_remove_retry_and_promote_what_node_holds(
    node: NodePeer, queue: NodeObject, events: NodeObject, ours: Queue
) -> None:
    removed = await ours.add("fail", {"reason": "ran"})
    await removed.remove()
    assert await queue.getJob(removed.id) is None

    worker = await node.worker("q")
    failed = await ours.add("fail", {"reason": "no"})
    with pytest.raises(JobFailed):
        await failed.wait_for_result(5)
    await failed.retry()
    await eventually(lambda: _has_started(worker, failed.id, 2))
    later = await ours.add("echo", 1, delay="1h")
    await later.promote()
    assert await later.wait_for_result(5) == 1
    running = await ours.add("hang")
    await eventually(lambda: is_in(queue, "active", running.id))
    with pytest.raises(JobLocked):
        await running.remove()
    told = [(name, fields.get("prev")) for name, fields in await events.read("events") if "prev" in fields]
    assert told == [
        ("removed", "wait"),
        ("active", "waiting"),
        ("failed", "active"),
        ("waiting", "failed"),
        ("active", "waiting"),
        ("failed", "active"),
        ("waiting", "delayed"),
        ("active", "waiting"),
        ("completed", "active"),
        ("active", "waiting"),
    ]


async def test_both_sides_count_alike(queue: NodeObject, ours: Queue, work: Work) -> None:
    await ours.add_many([("echo", 1), ("fail", {"reason": "no"}), ("echo", 2)])
    async with work():
        await eventually(lambda: has_counts(queue, completed=2, failed=1))
    await ours.add("echo", delay="1h")
    await ours.add("echo", priority=3)
    await queue.addBulk([{"name": "echo", "data": 1}, {"name": "echo", "data": 1, "opts": {"priority": 1}}])
    counted = {str(state): number for state, number in (await ours.counts()).items()}
    assert counted == await queue.getJobCounts(*counted)
    for state in ("waiting", "prioritized", "delayed", "completed", "failed"):
        theirs = [each["id"] for each in await queue.getJobs([state])]
        assert sorted(each.id for each in await ours.get_jobs(state)) == sorted(theirs)


async def test_node_clears_what_we_left(queue: NodeObject, ours: Queue, work: Work, prefix: str, raw: Any) -> None:
    jobs: list[Any] = [("echo", at) for at in range(5)]
    await ours.add_many([*jobs, ("fail", {"reason": "no"})])
    async with work():
        await eventually(lambda: has_counts(queue, completed=5, failed=1))
    assert len(await queue.clean(0, 2, "completed")) == 2
    assert len(await queue.clean(0, 0, "failed")) == 1
    await ours.add_many([("echo", 1), ("echo", 2, {"priority": 1}), ("echo", 3, {"delay": "1h"})])
    await queue.drain(True)
    assert await has_counts(queue, waiting=0, prioritized=0, delayed=0, completed=3)
    await queue.obliterate()
    assert list(raw.scan_iter(f"{prefix}*")) == []


async def _has_started(worker: NodeObject, job_id: str, times: int) -> bool:
    ended = [each for each, _ in await worker.read("ended")]
    return ended.count(job_id) == times

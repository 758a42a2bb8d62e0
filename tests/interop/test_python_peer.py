"""PyPI's bullmq adds and we process, we add and it processes; each reads what the other left."""

from typing import Any

import pytest

from stockyard import Backoff, Deduplication, JobFailed, JobState, Keep, Queue
from tests.interop.conftest import Work
from tests.support.node import has_counts, is_drained, is_in, names_of
from tests.support.peer import PeerError, PeerObject
from tests.support.python_peer import PythonPeer
from tests.support.waiting import eventually

HOUR = 3_600_000
SENT = {"user": "Zoë 🚀", "nested": {"list": [1, 2.5, None, True]}, "empty": {}, "path": "a/b\\c"}


@pytest.fixture
async def queue(python_peer: PythonPeer) -> PeerObject:
    """Its ``Queue`` named ``q``."""
    return await python_peer.queue("q")


@pytest.fixture
async def events(python_peer: PythonPeer) -> PeerObject:
    """Its ``QueueEvents`` of ``q``, from its beginning."""
    return await python_peer.events("q")


async def test_we_run_its_job(queue: PeerObject, events: PeerObject, ours: Queue, work: Work) -> None:
    added = await queue.add("echo", SENT)
    async with work(name="our-1"):
        await eventually(lambda: is_drained(events))
    assert ["completed", {"jobId": added["id"], "returnvalue": SENT, "prev": "active"}] in await events.read(
        "events"
    )
    stored = await queue.getJob(added["id"])
    assert (stored["returnvalue"], stored["attemptsMade"], stored["failedReason"]) == (SENT, 1, None)
    assert stored["finishedOn"] >= stored["processedOn"] >= stored["timestamp"]
    assert await names_of(events) == ["added", "waiting", "active", "completed", "drained"]


async def test_it_runs_our_job(
    python_peer: PythonPeer, queue: PeerObject, events: PeerObject, ours: Queue
) -> None:
    worker = await python_peer.worker("q")
    added = await ours.add("echo", SENT, attempts=3, remove_on_complete=5)
    assert await added.wait_for_result(5) == SENT
    (seen,) = await worker.read("started")
    assert (seen["id"], seen["name"], seen["data"], seen["timestamp"]) == (added.id, "echo", SENT, added.timestamp)
    assert (seen["opts"]["attempts"], seen["opts"]["removeOnComplete"]) == (3, 5)
    job = await added.refresh()
    assert (job.return_value, job.attempts_made, job.attempts_started) == (SENT, 1, 1)
    await eventually(lambda: is_drained(events))
    assert await names_of(events) == ["added", "waiting", "active", "completed", "drained"]
    assert await worker.read("errors") == []


@pytest.mark.parametrize("value", [None, "", "text", 0, -1.5, True, [], {}, [None], {"a": "1"}])
async def test_results_of_every_kind_reach_its_listeners(
    queue: PeerObject, events: PeerObject, work: Work, value: Any
) -> None:
    await queue.add("echo", value)
    async with work():
        await eventually(lambda: is_drained(events))
    ((_, told),) = [each for each in await events.read("events") if each[0] == "completed"]
    assert told["returnvalue"] == value
    assert await events.read("errors") == []


async def test_one_order_for_both(python_peer: PythonPeer, queue: PeerObject, ours: Queue) -> None:
    await ours.add("nothing", 1, priority=2)
    await queue.add("nothing", 2, {"priority": 2})
    await ours.add("nothing", 3, priority=2)
    await queue.add("nothing", 4)
    await ours.add("nothing", 5)
    await queue.add("nothing", 6, {"lifo": True})
    await ours.add("nothing", 7, lifo=True)
    await queue.addBulk([{"name": "nothing", "data": 8}, {"name": "nothing", "data": 9, "opts": {"priority": 1}}])
    worker = await python_peer.worker("q")
    await eventually(lambda: has_counts(queue, completed=9))
    assert [job["data"] for job in await worker.read("started")] == [7, 6, 4, 5, 8, 9, 1, 2, 3]


async def test_delays_are_kept_by_both(
    python_peer: PythonPeer, queue: PeerObject, ours: Queue, work: Work
) -> None:
    theirs = await queue.add("echo", 1, {"delay": 250})
    assert await is_in(queue, "delayed", theirs["id"])
    async with work():
        await eventually(lambda: has_counts(queue, completed=1))
    stored = await queue.getJob(theirs["id"])
    assert stored["processedOn"] >= theirs["timestamp"] + 250
    worker = await python_peer.worker("q")
    mine = await ours.add("echo", 1, delay=0.25)
    assert await mine.wait_for_result(5) == 1
    (seen,) = await worker.read("started")
    assert seen["processedOn"] >= mine.timestamp + 250


async def test_our_failure_reaches_it_and_its_failure_us(
    python_peer: PythonPeer, queue: PeerObject, ours: Queue, work: Work
) -> None:
    theirs = await queue.add("fail", {"reason": 'no "margin" left'}, {"attempts": 2})
    async with work():
        await eventually(lambda: is_in(queue, "failed", theirs["id"]))
    stored = await queue.getJob(theirs["id"])
    assert (stored["failedReason"], stored["attemptsMade"], len(stored["stacktrace"])) == (
        'no "margin" left',
        2,
        2,
    )

    await python_peer.worker("q")
    mine = await ours.add("fail", {"reason": 'no "margin" left'}, attempts=2)
    with pytest.raises(JobFailed) as failure:
        await mine.wait_for_result(5)
    assert failure.value.reason == 'no "margin" left'
    job = await mine.refresh()
    assert (job.attempts_made, len(job.stacktrace)) == (2, 2)
    for_good = await ours.add("fail_for_good", {"reason": "closed"}, attempts=5)
    with pytest.raises(JobFailed, match="closed"):
        await for_good.wait_for_result(5)
    assert (await for_good.refresh()).attempts_made == 1


async def test_it_waits_between_attempts_as_we_asked(
    python_peer: PythonPeer, events: PeerObject, ours: Queue
) -> None:
    await python_peer.worker("q")
    added = await ours.add("fail_first", {"times": 2}, attempts=3, backoff=Backoff.exponential(0.03))
    assert await added.wait_for_result(5) == 3
    retry = ["delayed", "waiting", "active"]
    await eventually(lambda: is_drained(events))
    assert await names_of(events) == ["added", "waiting", "active", *retry, *retry, "completed", "drained"]


async def test_a_custom_id_is_added_once(queue: PeerObject, events: PeerObject, ours: Queue) -> None:
    assert (await ours.add("echo", 1, job_id="fill-1")).id == "fill-1"
    assert (await queue.add("echo", 2, {"jobId": "fill-1"}))["id"] == "fill-1"
    assert (await queue.add("echo", 2, {"jobId": "fill-2"}))["id"] == "fill-2"
    assert (await ours.add("echo", 1, job_id="fill-2")).id == "fill-2"
    assert (await queue.add("echo", 3))["id"] == "5"
    await eventually(lambda: _has_told(events, "duplicated", 2))


async def test_deduplicated_adds_meet(queue: PeerObject, ours: Queue) -> None:
    first = await ours.add("echo", 1, deduplication="same")
    assert (await queue.add("echo", 2, {"deduplication": {"id": "same"}}))["id"] == first.id
    assert await queue.getDeduplicationJobId("same") == first.id
    theirs = await queue.add("echo", 3, {"deduplication": {"id": "window", "ttl": HOUR}})
    assert (await ours.add("echo", 4, deduplication=Deduplication("window", "1h"))).id == theirs["id"]
    late = await ours.add("echo", 5, delay="1h", deduplication=Deduplication("newest", replace=True))
    newer = await queue.add("echo", 6, {"delay": HOUR, "deduplication": {"id": "newest", "replace": True}})
    assert await late.state() == JobState.UNKNOWN
    assert await queue.getDeduplicationJobId("newest") == newer["id"]


async def test_progress_and_logs_are_seen(
    python_peer: PythonPeer, queue: PeerObject, events: PeerObject, ours: Queue, work: Work
) -> None:
    report = {"progress": [1, {"done": [1, 2]}], "lines": ["one", "two Ω"]}
    theirs = await queue.add("report", report)
    async with work():
        await eventually(lambda: is_drained(events))
    told = [fields["data"] for name, fields in await events.read("events") if name == "progress"]
    assert told == report["progress"]
    assert await queue.getJobLogs(theirs["id"]) == {"logs": report["lines"], "count": 2}
    await python_peer.worker("q")
    mine = await ours.add("report", report)
    await mine.wait_for_result(5)
    assert (await mine.refresh()).progress == {"done": [1, 2]}
    assert await mine.logs() == report["lines"]


@pytest.mark.parametrize(("keep", "left"), [(True, 0), (2, 2), (Keep.within("1h", 3), 3)])
async def test_it_keeps_as_many_of_ours_as_we_asked(
    python_peer: PythonPeer, queue: PeerObject, ours: Queue, keep: Any, left: int
) -> None:
    await python_peer.worker("q")
    await ours.add_many([("echo", number, {"remove_on_complete": keep}) for number in range(5)])
    await eventually(lambda: has_counts(queue, waiting=0, active=0))
    assert await has_counts(queue, completed=left)


async def test_what_it_retries_promotes_and_removes_is_ours(queue: PeerObject, ours: Queue, work: Work) -> None:
    failed = await ours.add("fail", {"reason": "no"})
    later = await ours.add("echo", 1, delay="1h")
    removed = await ours.add("echo", 2, delay="1h")
    async with work():
        await eventually(lambda: is_in(queue, "failed", failed.id))
        await queue.job(failed.id, "updateData", {"reason": "again"})
        await queue.job(failed.id, "retry")
        await eventually(lambda: _has_attempts(ours, failed.id, 2))
        await queue.job(later.id, "promote")
        assert await later.wait_for_result(5) == 1
    await queue.job(removed.id, "remove")
    assert await ours.get_job(removed.id) is None
    job = await failed.refresh()
    assert (job.failed_reason, len(job.stacktrace)) == ("again", 2)


async def test_what_we_retry_promote_and_remove_is_its(
    python_peer: PythonPeer, queue: PeerObject, ours: Queue
) -> None:
    worker = await python_peer.worker("q")
    failed = await queue.add("fail", {"reason": "no"})
    later = await queue.add("echo", 1, {"delay": HOUR, "priority": 3})
    removed = await queue.add("echo", 2, {"delay": HOUR})
    await eventually(lambda: is_in(queue, "failed", failed["id"]))
    mine = await ours.get_job(failed["id"])
    assert mine is not None
    await mine.retry()
    await eventually(lambda: _has_attempts(ours, failed["id"], 2))
    promoted = await ours.get_job(later["id"])
    assert promoted is not None
    await promoted.promote()
    assert await promoted.wait_for_result(5) == 1
    await ours.remove(removed["id"])
    assert await queue.getJob(removed["id"]) is None
    assert await worker.read("errors") == []


async def test_it_refuses_to_remove_what_we_run(queue: PeerObject, ours: Queue, work: Work) -> None:
    added = await ours.add("hang")
    async with work():
        await eventually(lambda: is_in(queue, "active", added.id))
        with pytest.raises(PeerError):
            await queue.job(added.id, "remove")
    assert await ours.get_job(added.id) is not None


async def _has_told(events: PeerObject, name: str, times: int) -> bool:
    return (await names_of(events)).count(name) == times


async def _has_attempts(ours: Queue, job_id: str, made: int) -> bool:
    job = await ours.get_job(job_id)
    return job is not None and job.attempts_made == made and await job.state() == JobState.FAILED

"""``Queue`` and ``Job`` of the port's interface, on a real server."""

import asyncio
from enum import IntEnum
from typing import Any

import pytest
import redis

from stockyard.compat.bullmq import Job, Queue
from tests.integration.compat.conftest import MakeWorker
from tests.support.waiting import eventually


class Step(IntEnum):
    FIRST = 1


async def test_a_job_is_added_and_read(queue: Queue) -> None:
    job = await queue.add("paint", {"color": "red"}, {"attempts": 3, "delay": 0, "priority": 2})
    read = await Job.fromId(queue, str(job.id))
    assert read is not None
    assert (job.id, read.id, read.name, read.data) == ("1", "1", "paint", {"color": "red"})
    assert (read.opts["attempts"], read.opts["priority"], read.priority) == (3, 2, 2)
    assert (read.attemptsMade, read.progress, read.finishedOn, read.returnvalue) == (0, 0, 0, None)
    assert read.timestamp == job.timestamp


async def test_a_missing_job_is_none(queue: Queue) -> None:
    assert await queue.getJob("nope") is None
    assert await queue.getJobState("nope") == "unknown"


async def test_default_options_are_below_those_of_a_job(opts: dict[str, Any]) -> None:
    queue = Queue("q", {**opts, "defaultJobOptions": {"attempts": 5, "delay": 2000}})
    by_default, own = await queue.add("a", {}), await queue.add("a", {}, {"attempts": 10})
    assert (by_default.attempts, by_default.delay) == (5, 2000)
    assert (own.attempts, own.delay) == (10, 2000)
    assert await queue.getDelayedCount() == 2
    await queue.close()


async def test_a_bulk_keeps_its_order(queue: Queue) -> None:
    jobs = await queue.addBulk([{"name": "a", "data": {"i": i}, "opts": {}} for i in range(120)])
    assert [job.id for job in jobs] == [str(number) for number in range(1, 121)]
    assert [job.data["i"] for job in await queue.getWaiting(0, 2)] == [0, 1, 2]
    assert [job.data["i"] for job in await queue.getJobs(["waiting"], 0, 2)] == [119, 118, 117]
    assert len(await queue.getWaiting(100)) == 20
    assert [job.data["i"] for job in await queue.getWaiting(-2, -1)] == [118, 119]


async def test_payloads_are_what_json_makes_of_them(queue: Queue) -> None:
    job = await queue.add("a", {"pair": (1, 2), "step": Step.FIRST, 7: None})
    read = await queue.getJob(str(job.id))
    assert read is not None
    assert read.data == {"pair": [1, 2], "step": 1, "7": None}
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        await queue.add("a", {"price": float("nan")})
    with pytest.raises(TypeError):
        await queue.add("a", {"what": object()})


async def test_ids_of_the_caller(queue: Queue) -> None:
    first = await queue.add("a", {"v": 1}, {"jobId": "order-1"})
    again = await queue.add("a", {"v": 2}, {"jobId": "order-1"})
    assert (first.id, again.id, await queue.getWaitingCount()) == ("order-1", "order-1", 1)
    assert (await queue.add("a", {}, {"jobId": "4711"})).id == "4711"


async def test_the_timestamp_of_the_caller(queue: Queue) -> None:
    job = await queue.add("a", {}, {"timestamp": 1_700_000_000_000})
    read = await queue.getJob(str(job.id))
    assert read is not None
    assert (job.timestamp, read.timestamp) == (1_700_000_000_000, 1_700_000_000_000)


async def test_deduplication(queue: Queue) -> None:
    first = await queue.add("a", {}, {"deduplication": {"id": "x"}})
    again = await queue.add("a", {}, {"deduplication": {"id": "x"}})
    other = await queue.add("a", {}, {"deduplication": {"id": "y", "ttl": 60_000, "extend": True}})
    assert first.id == again.id != other.id
    assert await queue.getDeduplicationJobId("x") == first.id
    assert other.deduplication_id == "y"


async def test_a_parent_must_be_there(queue: Queue) -> None:
    parent = await queue.add("parent", {})
    child = await queue.add("child", {}, {"parent": {"id": parent.id, "queue": parent.queueQualifiedName}})
    assert child.parentKey == f"{queue.qualifiedName}:{parent.id}"
    read = await queue.getJob(str(child.id))
    assert read is not None
    assert read.parent == {"id": parent.id, "queueKey": queue.qualifiedName}
    with pytest.raises(TypeError, match=f"Missing key for parent job {queue.qualifiedName}:gone. addJob"):
        await queue.add("child", {}, {"parent": {"id": "gone", "queue": queue.qualifiedName}})
    with pytest.raises(ValueError, match="cannot be used together"):
        await queue.add("child", {}, {"failParentOnFailure": True, "ignoreDependencyOnFailure": True})


async def test_progress_data_and_logs(queue: Queue) -> None:
    job = await queue.add("a", {"v": 1}, {"keepLogs": 2})
    await job.updateProgress({"done": 40})
    await job.updateData({"v": 2})
    assert [await job.log(line) for line in ("one", "two", "three")] == [1, 2, 2]
    read = await queue.getJob(str(job.id))
    assert read is not None
    assert (read.progress, read.data) == ({"done": 40}, {"v": 2})
    assert await queue.getJobLogs(str(job.id)) == {"logs": ["two", "three"], "count": 2}
    assert await queue.getJobLogs(str(job.id), 0, 0, asc=False) == {"logs": ["three"], "count": 2}


async def test_a_removed_job_is_named_in_the_error(queue: Queue) -> None:
    job = await queue.add("a", {})
    await job.remove()
    await job.remove()
    for call, command in ((job.updateData({}), "updateData"), (job.updateProgress(1), "updateProgress")):
        with pytest.raises(TypeError, match=f"Missing key for job 1. {command}"):
            await call
    assert await queue.remove("1") == 1


async def test_promoting_and_priorities(queue: Queue) -> None:
    delayed = await queue.add("a", {}, {"delay": 60_000})
    assert await delayed.isDelayed()
    await delayed.promote()
    assert await delayed.isWaiting()
    assert delayed.delay == 0
    with pytest.raises(TypeError, match="is not in the delayed state"):
        await delayed.promote()
    urgent = await queue.add("b", {}, {"priority": 10})
    await urgent.changePriority({"priority": 1})
    assert urgent.priority == 1
    assert await queue.getCountsPerPriority([0, 1, 10]) == {"0": 1, "1": 1, "10": 0}
    assert [job.id for job in await queue.getPrioritized()] == [urgent.id]
    await queue.add("c", {}, {"delay": 60_000})
    await queue.promoteJobs({"count": 1})
    assert await queue.getJobCounts("delayed", "wait") == {"delayed": 0, "wait": 2}


async def test_pausing(queue: Queue) -> None:
    await queue.add("a", {})
    await queue.pause()
    assert await queue.isPaused()
    assert await queue.getJobCounts("paused") == {"paused": 1}
    assert len(await queue.getJobs(["paused"])) == 1
    await queue.resume()
    assert not await queue.isPaused()
    assert await queue.getJobCountByTypes("paused") == 0
    assert await queue.getJobs(["paused"]) == []


async def test_removing_many(queue: Queue, raw: "redis.Redis") -> None:
    await queue.addBulk([{"name": "a", "data": {}} for _ in range(3)])
    await queue.add("a", {}, {"delay": 60_000})
    await queue.drain()
    assert await queue.getJobCountByTypes() == 1
    await queue.drain(delayed=True)
    assert await queue.getJobCountByTypes() == 0
    await queue.add("a", {})
    assert await queue.clean(0, 10, "wait") == ["5"]
    assert await queue.trimEvents(0) > 0
    await queue.obliterate()
    assert list(raw.scan_iter(f"{queue.toKey('*')}")) == []


async def test_limits_over_all_workers(queue: Queue) -> None:
    assert await queue.getGlobalConcurrency() is None
    await queue.setGlobalConcurrency(5)
    assert await queue.getGlobalConcurrency() == 5
    assert [await queue.removeGlobalConcurrency(), await queue.removeGlobalConcurrency()] == [1, 0]
    await queue.setGlobalRateLimit(100, 1000)
    assert await queue.getGlobalRateLimit() == {"max": 100, "duration": 1000}
    assert [await queue.removeGlobalRateLimit(), await queue.removeGlobalRateLimit()] == [2, 0]
    assert await queue.getRateLimitTtl() == -2
    await queue.rateLimit(60_000)
    assert 0 < await queue.getRateLimitTtl() <= 60_000
    assert [await queue.removeRateLimitKey(), await queue.removeRateLimitKey()] == [1, 0]


async def test_retrying_many(queue: Queue, work: MakeWorker) -> None:
    fails = True

    async def process(job: Job, token: str) -> str:
        if fails:
            raise RuntimeError("not yet")
        return "done"

    work(process)
    await queue.addBulk([{"name": "a", "data": {}} for _ in range(3)])
    await eventually(lambda: _counts(queue, failed=3))
    fails = False
    await queue.retryJobs({"count": 2})
    await eventually(lambda: _counts(queue, completed=3))
    (newest, *_) = await queue.getCompleted()
    await newest.retry("completed", {"resetAttemptsMade": True})
    assert (newest.returnvalue, newest.attemptsMade) == (None, 0)
    await eventually(lambda: _counts(queue, completed=3))
    with pytest.raises(TypeError, match=r"is not in the failed state\. reprocessJob"):
        await newest.retry()


async def _counts(queue: Queue, **wanted: int) -> bool:
    return await queue.getJobCounts(*wanted) == wanted


async def test_what_runs_is_not_removed(queue: Queue, work: MakeWorker) -> None:
    runs, may_end = asyncio.Event(), asyncio.Event()

    async def process(job: Job, token: str) -> None:
        runs.set()
        await may_end.wait()

    worker = work(process, name="q")
    job = await queue.add("a", {})
    await runs.wait()
    assert await job.isActive()
    assert await queue.remove(str(job.id)) == 0
    with pytest.raises(RuntimeError, match="locked by another worker"):
        await job.remove()
    with pytest.raises(RuntimeError, match="Cannot obliterate queue with active jobs"):
        await queue.obliterate()
    assert await queue.get_workers_count() == 1
    may_end.set()
    await worker.close()
    await queue.obliterate(force=True)


async def test_any_name_will_do(opts: dict[str, Any]) -> None:
    for name in ("", "a b", "a", "a:b"):
        queue = Queue(name, opts)
        assert (await queue.add("x", {})).id == "1"
        assert await queue.getWaitingCount() == 1
        await queue.close()
        await queue.close()

"""Jobs that are taken and ended by hand with the port's interface, on a real server."""

import time
from typing import Any

import pytest

from stockyard.compat.bullmq import Job, Queue
from tests.integration.compat.conftest import MakeWorker
from tests.support.waiting import eventually


async def test_a_job_is_taken_and_completed(queue: Queue, work: MakeWorker) -> None:
    worker = work(None, drainDelay=0.1)
    assert await worker.getNextJob("token") is None
    assert await worker.getNextJob("token") is None
    await queue.add("a", {"v": 1})
    job = await worker.getNextJob("token")
    assert job is not None
    assert (job.data, job.token, await job.isActive()) == ({"v": 1}, "token", True)
    await job.moveToCompleted({"pair": (1, 2)}, "token")
    stored = await queue.getJob(str(job.id))
    assert stored is not None
    assert (stored.returnvalue, stored.attemptsMade) == ({"pair": [1, 2]}, 1)
    assert (job.attemptsMade, job.finishedOn) == (1, stored.finishedOn)
    with pytest.raises(TypeError, match="moveToFinished"):
        await job.moveToCompleted(None, "token")


async def test_a_job_is_failed_and_retried(queue: Queue, work: MakeWorker) -> None:
    worker = work(None)
    await queue.add("a", {}, {"attempts": 2})
    for attempt in (1, 2):
        job = await worker.getNextJob(f"token-{attempt}")
        assert job is not None
        await job.moveToFailed(RuntimeError(f"attempt {attempt}"), f"token-{attempt}")
        assert (job.failedReason, job.attemptsMade) == (f"attempt {attempt}", attempt)
    assert await queue.getJobState("1") == "failed"


async def test_another_process_may_end_it(queue: Queue, work: MakeWorker) -> None:
    await queue.add("a", {})
    assert await work(None).getNextJob("token") is not None
    found = await Job.fromId(queue, "1")
    assert found is not None
    with pytest.raises(TypeError, match="Missing lock for job 1"):
        await found.moveToCompleted(None, "of another")
    await found.moveToCompleted("done", "token")
    assert await found.isCompleted()


async def test_a_job_runs_later_or_waits_for_its_children(queue: Queue, work: MakeWorker) -> None:
    worker = work(None)
    await queue.add("a", {})
    job = await worker.getNextJob("token")
    assert job is not None
    await job.moveToDelayed(time.time() * 1000 + 60_000, "token")
    assert await job.isDelayed()
    await job.promote()
    job = await worker.getNextJob("token")
    assert job is not None
    assert not await job.moveToWaitingChildren("token")
    child = await queue.add("child", {}, {"parent": {"id": job.id, "queue": job.queueQualifiedName}})
    assert await job.moveToWaitingChildren("token")
    assert await job.isWaitingChildren()
    assert child.parentKey is not None


async def test_jobs_that_were_left_are_recovered(queue: Queue, work: MakeWorker) -> None:
    worker = work(None, lockDuration=100)
    stalled: list[Any] = []
    worker.on("stalled", stalled.append)
    await queue.add("a", {})
    assert await worker.getNextJob("token") is not None

    async def recovered() -> bool:
        await worker.runStalledJobsCheck()
        return bool(stalled)

    await eventually(recovered)
    assert stalled == ["1"]


async def test_the_lock_manager_shows_what_runs(queue: Queue, work: MakeWorker) -> None:
    async def process(job: Job, token: str, signal: Any) -> None:
        await signal.wait()

    worker = work(process)
    await queue.add("a", {})
    manager = worker.lockManager
    await eventually(lambda: manager.get_tracked_job_ids() == ["1"])
    assert (manager.get_active_job_count(), manager.is_running()) == (1, True)
    await eventually(lambda: manager.cancel_job("1", "enough"))
    manager.cancel_all_jobs()
    await eventually(lambda: manager.get_active_job_count() == 0)
    await manager.close()

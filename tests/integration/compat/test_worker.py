"""``Worker`` of the port's interface, on a real server."""

import asyncio
import time
from typing import Any

import pytest
import redis

from stockyard.compat.bullmq import (
    AbortError,
    AbortSignal,
    DelayedError,
    Job,
    Queue,
    UnrecoverableError,
    WaitingChildrenError,
    Worker,
)
from tests.integration.compat.conftest import MakeWorker
from tests.support.waiting import eventually, stays


class Heard:
    """Collects what a worker emits."""

    def __init__(self, worker: Worker, *names: str) -> None:
        self.events: list[tuple[Any, ...]] = []
        for name in names:
            worker.on(name, lambda *given, name=name: self.events.append((name, *given)))

    async def wait(self, count: int) -> list[tuple[Any, ...]]:
        await eventually(lambda: len(self.events) >= count)
        return self.events


async def test_a_job_is_processed(queue: Queue, work: MakeWorker) -> None:
    async def process(job: Job, token: str) -> list[str]:
        assert isinstance(token, str)
        assert job.token == token
        return [job.data["foo"]]

    worker = work(process)
    heard = Heard(worker, "active", "completed")
    job = await queue.add("a", {"foo": "bar"})
    (_, active, prev), (_, completed, result) = await heard.wait(2)
    assert (active.id, prev, result) == (job.id, "waiting", ["bar"])
    assert (completed.attemptsMade, completed.returnvalue) == (1, ["bar"])
    assert completed.finishedOn >= completed.processedOn >= completed.timestamp
    stored = await queue.getJob(str(job.id))
    assert stored is not None
    assert stored.returnvalue == ["bar"]
    assert worker.running
    await worker.close()
    assert worker.closed
    assert not worker.running


async def test_a_failure_has_the_words_of_its_error(queue: Queue, work: MakeWorker) -> None:
    async def process(job: Job, token: str) -> float:
        if job.name == "nan":
            return float("nan")
        raise RuntimeError("no luck")

    heard = Heard(work(process), "failed")
    for name in ("raises", "nan"):
        await queue.add(name, {})
    (_, raised, error), (_, unstorable, other) = await heard.wait(2)
    assert (raised.failedReason, str(error), type(error)) == ("no luck", "no luck", RuntimeError)
    assert unstorable.failedReason.startswith("Out of range float values are not JSON compliant")
    assert isinstance(other, ValueError)
    stored = await queue.getJob("1")
    assert stored is not None
    assert (stored.failedReason, stored.attemptsMade, stored.returnvalue) == ("no luck", 1, None)
    (trace,) = stored.stacktrace
    assert "raise RuntimeError" in trace
    assert "StockyardError" not in trace
    assert [job.id for job in await queue.getFailed()] == ["2", "1"]


async def test_retries_with_a_backoff_of_its_own(queue: Queue, work: MakeWorker) -> None:
    asked: list[tuple[Any, ...]] = []

    def strategy(attempts_made: int, type: str, error: Exception, job: Job) -> int:  # noqa: A002
        asked.append((attempts_made, type, str(error), job.id))
        return 1 if attempts_made < 2 else -1

    async def process(job: Job, token: str) -> None:
        raise RuntimeError(f"attempt {job.attemptsMade + 1}")

    heard = Heard(work(process, settings={"backoffStrategy": strategy}), "failed")
    job = await queue.add("a", {}, {"attempts": 5, "backoff": {"type": "mine"}})
    first, second = await heard.wait(2)
    assert (str(first[2]), str(second[2])) == ("attempt 1", "attempt 2")
    assert asked == [(1, "mine", "attempt 1", job.id), (2, "mine", "attempt 2", job.id)]
    await eventually(job.isFailed)


async def test_retries_by_the_usual_backoffs(queue: Queue, work: MakeWorker) -> None:
    async def process(job: Job, token: str) -> str:
        if job.attemptsMade < 2:
            raise RuntimeError("not yet")
        return "done"

    heard = Heard(work(process), "completed")
    await queue.add("a", {}, {"attempts": 3, "backoff": {"type": "exponential", "delay": 1}})
    await queue.add("b", {}, {"attempts": 3, "backoff": 1})
    await queue.add("c", {}, {"attempts": 3})
    assert {job.attemptsMade for _, job, _ in await heard.wait(3)} == {3}


async def test_no_retry_of_what_cannot_be_mended(queue: Queue, work: MakeWorker) -> None:
    async def process(job: Job, token: str) -> None:
        raise UnrecoverableError("never")

    heard = Heard(work(process), "failed")
    job = await queue.add("a", {}, {"attempts": 5})
    ((_, failed, error),) = await heard.wait(1)
    assert isinstance(error, UnrecoverableError)
    assert failed.failedReason == "never"
    assert await job.isFailed()


async def test_a_run_ends_and_begins_later(queue: Queue, work: MakeWorker) -> None:
    starts: list[int] = []

    async def process(job: Job, token: str) -> str:
        starts.append(job.attemptsMade)
        if len(starts) == 1:
            await job.moveToDelayed(time.time() * 1000 + 5, token)
            raise DelayedError
        return "done"

    heard = Heard(work(process), "completed", "failed")
    await queue.add("a", {})
    ((name, _, result),) = await heard.wait(1)
    assert (name, result, starts) == ("completed", "done", [0, 0])


async def test_a_parent_adds_children_while_it_runs(queue: Queue, opts: dict[str, Any], work: MakeWorker) -> None:
    parents = Queue("parents", opts)

    async def parent(job: Job, token: str) -> list[Any]:
        if job.data["step"] == 1:
            await queue.add("child", {}, {"parent": {"id": job.id, "queue": job.queueQualifiedName}})
            await job.updateData({"step": 2})
        if await job.moveToWaitingChildren(token, {}):
            raise WaitingChildrenError
        return list((await job.getChildrenValues()).values())

    async def child(job: Job, token: str) -> str:
        return "of a child"

    heard = Heard(work(parent, name="parents"), "completed", "failed")
    job = await parents.add("p", {"step": 1})
    await eventually(job.isWaitingChildren)
    work(child)
    ((name, _, result),) = await heard.wait(1)
    assert (name, result) == ("completed", ["of a child"])
    await parents.close()


async def test_a_job_is_cancelled_by_its_signal(queue: Queue, work: MakeWorker) -> None:
    async def process(job: Job, token: str, signal: AbortSignal) -> None:
        await signal.wait()
        signal.throw_if_aborted()

    worker = work(process, concurrency=2)
    heard = Heard(worker, "active", "failed")
    await queue.addBulk([{"name": "a", "data": {}}, {"name": "b", "data": {}}])
    await heard.wait(2)
    assert worker.cancelJob("1", "not wanted")
    assert not worker.cancelJob("nope")
    name, job, error = (await heard.wait(3))[2]
    assert (name, job.id, type(error), error.reason) == ("failed", "1", AbortError, "not wanted")
    worker.cancelAllJobs()
    assert (await heard.wait(4))[3][1].id == "2"


async def test_a_processor_without_a_signal_is_not_cancelled(queue: Queue, work: MakeWorker) -> None:
    may_end = asyncio.Event()

    async def process(job: Job, token: str) -> str:
        await may_end.wait()
        return "done"

    worker = work(process)
    heard = Heard(worker, "active", "completed")
    job = await queue.add("a", {})
    await heard.wait(1)
    assert not worker.cancelJob(str(job.id))
    may_end.set()
    assert (await heard.wait(2))[1][2] == "done"


async def test_closing_waits_for_what_runs(queue: Queue, work: MakeWorker) -> None:
    may_end = asyncio.Event()

    async def process(job: Job, token: str) -> str:
        await may_end.wait()
        return "done"

    worker = work(process)
    heard = Heard(worker, "active", "completed", "closed")
    await queue.add("a", {})
    await heard.wait(1)
    closing = asyncio.ensure_future(worker.close())
    await eventually(lambda: worker.closing)
    may_end.set()
    await closing
    assert [event[0] for event in heard.events] == ["active", "completed", "closed"]


async def test_closing_by_force_leaves_the_job_to_others(queue: Queue, work: MakeWorker) -> None:
    async def stuck(job: Job, token: str) -> None:
        await asyncio.Event().wait()

    first = work(stuck, lockDuration=2000)
    heard = Heard(first, "active")
    job = await queue.add("a", {})
    await heard.wait(1)
    await first.close(force=True)
    assert await job.isActive()

    async def process(job: Job, token: str) -> str:
        return "done"

    heard = Heard(work(process, stalledInterval=100), "stalled", "completed")
    (stalled, completed) = await heard.wait(2)
    assert (stalled, completed[0], completed[2]) == (("stalled", job.id), "completed", "done")
    assert completed[1].stalledCounter == 1


async def test_retention_is_that_of_the_worker(queue: Queue, work: MakeWorker) -> None:
    async def process(job: Job, token: str) -> None: ...

    heard = Heard(work(process, removeOnComplete={"count": 1}), "completed")
    await queue.addBulk([{"name": "a", "data": {}} for _ in range(3)])
    await queue.add("kept", {}, {"removeOnComplete": False})
    await heard.wait(4)
    assert {job.name for job in await queue.getCompleted()} >= {"kept"}
    assert await queue.getCompletedCount() == 2


async def test_a_worker_runs_once(work: MakeWorker) -> None:
    async def process(job: Job, token: str) -> None: ...

    worker = work(process, autorun=False)
    running = asyncio.ensure_future(worker.run())
    await eventually(lambda: worker.running)
    with pytest.raises(RuntimeError, match="already running"):
        await worker.run()
    await worker.close()
    await running


async def test_a_server_that_refuses_is_an_error(work: MakeWorker, redis_url: str) -> None:
    async def process(job: Job, token: str) -> None: ...

    worker = work(process, limiter={"max": 0, "duration": 0}, concurrency=0)
    heard = Heard(worker, "error")
    ((_, error),) = await heard.wait(1)
    assert isinstance(error, ValueError)


async def test_a_worker_pauses_alone(queue: Queue, work: MakeWorker) -> None:
    may_end = asyncio.Event()

    async def process(job: Job, token: str) -> str:
        await may_end.wait()
        return "done"

    worker = work(process)
    heard = Heard(worker, "active", "paused", "resumed", "completed")
    await queue.add("a", {})
    await heard.wait(1)
    pausing = asyncio.ensure_future(worker.pause())
    await eventually(lambda: worker.paused)
    assert not pausing.done()
    may_end.set()
    await pausing
    assert [event[0] for event in await heard.wait(3)] == ["active", "completed", "paused"]
    await queue.add("b", {})
    other = Heard(work(process), "completed")
    await other.wait(1)
    worker.resume()
    worker.resume()
    assert [event[0] for event in heard.events[3:]] == ["resumed"]
    await queue.pause()
    assert not await queue.getActive()


async def test_a_worker_begins_paused(queue: Queue, work: MakeWorker) -> None:
    async def process(job: Job, token: str) -> None: ...

    worker = work(process)
    heard = Heard(worker, "completed")
    await worker.pause(True)
    job = await queue.add("a", {})
    await eventually(lambda: worker.running)
    await stays(lambda: not heard.events)
    assert await job.isWaiting()
    worker.resume()
    await heard.wait(1)


async def test_locks_are_renewed_and_lost(queue: Queue, work: MakeWorker, raw: "redis.Redis") -> None:
    async def process(job: Job, token: str) -> None:
        await asyncio.Event().wait()

    worker = work(process, lockDuration=1000)
    renewed = Heard(worker, "locksRenewed")
    lost = Heard(worker, "lockRenewalFailed", "error")
    job = await queue.add("a", {})
    assert (await renewed.wait(1))[0] == ("locksRenewed", {"count": 1, "jobIds": [job.id]})
    raw.set(f"{queue.toKey(str(job.id))}:lock", "of another")
    failed, error = (await lost.wait(2))[:2]
    assert failed == ("lockRenewalFailed", [job.id])
    assert str(error[1]) == f"could not renew lock for job {job.id}"

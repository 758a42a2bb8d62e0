"""Retention and limits that one worker has for itself, beside the declaration of its queue."""

from typing import Any

from stockyard import Job, Keep
from tests.support.waiting import eventually, stays
from tests.support.yard import Yard


async def test_a_worker_keeps_what_it_was_told_to_keep(yard: Yard) -> None:
    async def handle(job: Job[bool]) -> None:
        if job.data:
            raise ValueError("no")

    # As of a queue that keeps all: its jobs, like those that Node adds, say nothing of how long they are kept.
    queue = yard.queue(remove_on_complete=False, remove_on_fail=False)
    await yard.work(handle, remove_on_complete=True, remove_on_fail=Keep(count=2))
    done = await queue.add_many([("x", False)] * 5)
    failed = await queue.add_many([("x", True)] * 5)
    kept = await queue.add("x", False, remove_on_complete=False)
    await eventually(lambda: _counts(queue, completed=1, failed=2))
    assert await queue.get_job(kept.id) is not None
    assert [await queue.get_job(job.id) for job in [*done, *failed[:3]]] == [None] * 8


async def test_a_worker_has_a_rate_of_its_own(yard: Yard) -> None:
    ran: list[int] = []

    async def handle(job: Job[int]) -> None:
        ran.append(job.data)

    queue = yard.queue()
    await yard.work(handle, concurrency=5, rate="2/1h")
    await queue.add_many([("x", number) for number in range(5)])
    await eventually(lambda: len(ran) == 2)
    await stays(lambda: len(ran) == 2)
    await yard.work(handle)
    await eventually(lambda: len(ran) == 5)


async def test_a_worker_decides_how_often_a_job_may_stall(yard: Yard, raw: Any, prefix: str) -> None:
    async def handle(job: Job[Any]) -> None:
        raise AssertionError("it is failed without being run")

    queue = yard.queue()
    job = await queue.add("x")
    taken = await yard.app.manual_worker("q").take()
    assert taken is not None
    raw.delete(f"{prefix}:q:{job.id}:lock")
    await yard.work(handle, max_stalled=0, stalled_interval=0.05)

    async def has_failed() -> bool:
        return await job.state() == "failed"

    await eventually(has_failed)
    assert "stalled" in str((await job.refresh()).failed_reason)


async def _counts(queue: Any, **expected: int) -> bool:
    counts = await queue.counts()
    return all(counts[state] == number for state, number in expected.items())

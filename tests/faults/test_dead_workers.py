"""Workers that die, freeze or compute for too long: whose job runs again, and whose does not."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from stockyard import JobState, Queue
from tests.faults.programs import LOCK_SECONDS, Journal, WorkerProcess, children_of
from tests.support.child_handlers import alive
from tests.support.contention import contention
from tests.support.waiting import eventually

Start = Callable[..., WorkerProcess]


async def test_a_killed_worker_s_jobs_run_again_within_twice_the_lock(
    queue: Queue, worker: Start, journal: Journal, raw: "redis.Redis"
) -> None:
    first, second = worker("patient"), worker("brief", concurrency=1)
    # Both are up before there is work for them.
    await eventually(lambda: _are_waiting(raw, 2))
    second.send(signal.SIGSTOP)
    jobs = [await queue.add("x", 60) for _ in range(5)]
    await eventually(lambda: len(journal.of("started")) >= 4)
    second.send(signal.SIGCONT)

    first.send(signal.SIGKILL)
    died = time.monotonic()
    for job in jobs:
        await job.wait_for_result(25)

    took = time.monotonic() - died
    assert took < 2 * LOCK_SECONDS + await contention()
    done = [await job.refresh() for job in jobs]
    counts = [(each.stalled_count, each.attempts_made, each.attempts_started) for each in done]
    # One of the five may have been handed to the frozen worker, which runs it when it wakes.
    assert counts.count((1, 1, 2)) >= 4


async def test_a_killed_worker_leaves_no_process_behind(queue: Queue, worker: Start, journal: Journal) -> None:
    first = worker("patient")
    await queue.add("x", 60)
    await eventually(lambda: journal.of("started"))
    helpers = list(children_of(first.pid))
    assert helpers
    first.send(signal.SIGKILL)
    await eventually(lambda: not any(alive(pid) for pid in helpers))


async def test_a_frozen_worker_s_job_passes_to_a_live_one(queue: Queue, worker: Start, journal: Journal) -> None:
    first = worker("patient")
    # Longer than the other worker takes to start: else the handler ends before it learns that it lost the job.
    job = await queue.add("x", 60)
    await eventually(lambda: journal.of("started"))
    first.send(signal.SIGSTOP)
    worker("brief")

    assert await job.wait_for_result(25) == job.id
    first.send(signal.SIGCONT)
    # It has lost the job, and says nothing of it; but it works on.
    other = await queue.add("x", 0)
    await other.wait_for_result(25)
    assert (await job.refresh()).return_value == job.id
    assert journal.of("ended").count(job.id) == 0


@pytest.mark.parametrize("handler", ["burn_async", "burn_thread", "burn_c_async", "burn_c_thread", "burn_process"])
async def test_a_job_that_computes_for_ten_leases_runs_once(
    queue: Queue, worker: Start, journal: Journal, handler: str
) -> None:
    worker(handler), worker(handler)
    job = await queue.add("x", 10 * LOCK_SECONDS)
    await job.wait_for_result(60)
    done = await job.refresh()
    assert journal.of("started") == journal.of("ended") == [job.id]
    assert (done.attempts_started, done.stalled_count) == (1, 0)


async def test_a_job_that_kills_its_workers_is_failed_in_the_end(
    queue: Queue, worker: Start, journal: Journal
) -> None:
    """After `max_stalled` deaths the next worker fails it without running it."""
    job = await queue.add("x", 60)
    for run in range(1, 5):
        with worker("patient") as victim:
            await eventually(lambda run=run: len(journal.of("started")) == run, within=25)  # type: ignore[misc]
            victim.send(signal.SIGKILL)
            victim.wait()
    worker("patient")
    await eventually(lambda: _is(queue, job.id, JobState.FAILED), within=25)
    done = await job.refresh()
    assert done.failed_reason == "job stalled more than allowable limit"
    assert len(journal.of("started")) == 4


async def test_a_killed_lease_child_is_replaced(
    queue: Queue, worker: Start, journal: Journal, raw: "redis.Redis"
) -> None:
    # Longer than a child needs to start on a busy machine.
    first = worker("patient", lock="5s")
    job = await queue.add("x", 8)
    await eventually(lambda: journal.of("started"))
    lock = queue._keyspace.keys.job(job.id) + ":lock"
    for _ in range(3):
        (helper,) = children_of(first.pid)
        os.kill(helper, signal.SIGKILL)
        await eventually(lambda: not alive(helper))  # noqa: B023
        left: Any = raw.pttl(lock)
        await eventually(lambda: raw.pttl(lock) > left or journal.of("ended"))  # noqa: B023
    worker("brief", lock="5s")
    await job.wait_for_result(25)
    assert journal.of("ended") == [job.id]


async def _is(queue: Queue, job_id: str, state: JobState) -> bool:
    job = await queue.get_job(job_id)
    return job is not None and await job.state() is state


async def test_a_job_taken_for_a_frozen_worker_runs_once(
    queue: Queue, worker: Start, journal: Journal, raw: "redis.Redis"
) -> None:
    first = worker("patient")
    await (await queue.add("x", 0)).wait_for_result(25)
    await eventually(lambda: _are_waiting(raw, 1))
    first.send(signal.SIGSTOP)
    job = await queue.add("x", 0)
    # Its take waited behind the marker: the server started the job for it although it cannot run it.
    await eventually(lambda: _is_active(queue, job.id))
    worker("patient")
    await job.wait_for_result(25)

    first.send(signal.SIGCONT)
    for more in [await queue.add("x", 0) for _ in range(20)]:
        await more.wait_for_result(25)
    assert journal.of("started").count(job.id) == 1


async def _is_active(queue: Queue, job_id: str) -> bool:
    found = await queue.get_job(job_id)
    return found is not None and await found.state() == "active"


def _are_waiting(client: "redis.Redis", workers: int) -> bool:
    """Whether so many workers wait for a marker; a reader of events blocks too, by another command."""
    return sum(each["cmd"] == "bzpopmin" and "b" in each["flags"] for each in client.client_list()) >= workers

"""Plain handlers that hang: their threads are given up and replaced, and cost no other job an attempt."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stockyard import Job, JobFailed, Router
from stockyard.consume.executors import threads
from tests.support.waiting import eventually, wait_until
from tests.support.yard import Yard


class Gate:
    """A handler that hangs until the gate is opened, for data that is true."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.entered: list[Any] = []

    def __call__(self, job: Job[Any]) -> Any:
        self.entered.append(job.data)
        if job.data == "hangs":
            self.opened.wait(60)
        return job.data


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.opened.set()


Logged = Callable[[str], list[logging.LogRecord]]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Logged:
    """Finds the log's lines that hold a text."""
    caplog.set_level(logging.INFO, logger="stockyard")
    return lambda text: [record for record in caplog.records if text in record.getMessage()]


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_hung_thread_is_replaced_and_logged_with_its_stack(
    yard: Yard, gate: Gate, logged: Logged, concurrency: int
) -> None:
    queue = yard.queue(attempts=3)
    worker = await yard.work(gate, concurrency=concurrency)
    hung = [await queue.add("x", "hangs", timeout="100ms", attempts=1) for _ in range(concurrency)]
    good = [await queue.add("x", number, timeout="30s") for number in range(5)]
    for job in hung:
        with pytest.raises(JobFailed, match="JobTimeout: timed out after 100 ms"):
            await job.wait_for_result(25)
    for number, job in enumerate(good):
        assert await job.wait_for_result(25) == number
        assert (await job.refresh()).attempts_made == 1
    assert gate.entered.count("hangs") == concurrency
    lines = logged("still runs in its thread though its run has ended")
    # Threads that hang at the same time are logged in any order.
    assert sorted(line.job for line in lines) == [job.id for job in hung]  # type: ignore[attr-defined]
    (line,) = [line for line in lines if line.job == hung[0].id]  # type: ignore[attr-defined]
    assert "it ran longer than its timeout of 0.1 s" in line.getMessage()
    assert "self.opened.wait(60)" in line.getMessage()
    assert (line.queue, line.job, line.job_name, line.attempt) == ("q", hung[0].id, "x", 1)  # type: ignore[attr-defined]
    assert (worker.metrics.abandoned, worker.metrics.hung) == (concurrency, concurrency)
    gate.opened.set()
    await eventually(lambda: worker.metrics.hung == 0)
    await eventually(lambda: len(logged("has left its thread after")) == concurrency)
    assert worker.metrics.abandoned == concurrency


async def test_no_more_jobs_are_taken_than_there_are_threads(
    yard: Yard, gate: Gate, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no hung thread is replaced any more, jobs are left to other workers, and taken again afterwards."""
    monkeypatch.setattr(threads, "LEAST_REPLACEMENTS", 2)
    queue = yard.queue(attempts=3)
    worker = await yard.work(gate, concurrency=1)
    for number in range(3):
        job = await queue.add("x", "hangs", timeout="50ms", attempts=1)
        with pytest.raises(JobFailed, match="JobTimeout"):
            await job.wait_for_result(25)
        assert worker.metrics.hung == number + 1
    assert [line.getMessage().count("another takes its place") for line in logged("still runs in its thread")] == [
        1,
        1,
        0,
    ]
    assert logged("so this worker runs 1 jobs fewer at a time: restart its process")
    (check,) = [check for check in worker.health_checks() if check.name == "q: threads"]
    assert (check.ok, check.is_fatal) == (False, True)
    waiting = [await queue.add("x", number, timeout="30s") for number in range(3)]
    # The time of several looks at the queue, on a machine where others are served meanwhile.
    other = yard.queue("other")
    await yard.work(gate, queue="other")
    for _ in range(20):
        await (await other.add("x")).wait_for_result(25)
    for job in waiting:
        job = await job.refresh()
        assert (await job.state(), job.attempts_started) == ("waiting", 0)
    gate.opened.set()
    for number, job in enumerate(waiting):
        assert await job.wait_for_result(25) == number
        assert (await job.refresh()).attempts_started == 1
    assert "q: threads" not in [check.name for check in worker.health_checks()]


async def test_a_thread_that_outlives_the_grace_is_logged_and_its_job_runs_again(
    yard: Yard, gate: Gate, logged: Logged
) -> None:
    queue = yard.queue()
    first = await yard.work(gate, concurrency=1)
    job = await queue.add("x", "hangs")
    await eventually(lambda: gate.entered)
    await first.stop(grace=0)
    (line,) = logged("still runs in a thread")
    assert "the worker stops, and its grace is over; the job was handed back" in line.getMessage()
    assert "self.opened.wait(60)" in line.getMessage()
    assert (await job.refresh()).attempts_made == 0
    await yard.work(gate, concurrency=1)
    await eventually(lambda: len(gate.entered) == 2)
    gate.opened.set()
    assert await job.wait_for_result(25) == "hangs"
    job = await job.refresh()
    assert (job.attempts_made, job.attempts_started) == (1, 2)


async def test_a_lost_lease_gives_its_thread_up(
    yard: Yard, gate: Gate, logged: Logged, raw: Any, prefix: str
) -> None:
    queue = yard.queue(lock="400ms")
    await yard.work(gate, concurrency=1)
    job = await queue.add("x", "hangs")
    await eventually(lambda: gate.entered)
    raw.set(f"{prefix}:q:{job.id}:lock", "of another worker")
    await eventually(lambda: logged("its lease passed to another worker"))
    assert await (await queue.add("x", "next")).wait_for_result(25) == "next"


async def test_handlers_of_other_executors_go_on_beside_hung_threads(yard: Yard, gate: Gate) -> None:
    async def quick(job: Job[Any]) -> str:
        return "quick"

    router = Router()
    router.add("hang", gate)
    router.add("quick", quick)
    queue = yard.queue()
    await yard.work(router, concurrency=2)
    hung = [await queue.add("hang", "hangs", timeout="50ms") for _ in range(2)]
    for job in hung:
        with pytest.raises(JobFailed, match="JobTimeout"):
            await job.wait_for_result(25)
    jobs = await asyncio.gather(*(queue.add("quick") for _ in range(10)))
    assert await asyncio.gather(*(job.wait_for_result(25) for job in jobs)) == ["quick"] * 10


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
async def test_a_function_in_a_thread_sees_that_it_should_stop(yard: Yard, how: str) -> None:
    running, stopped = threading.Event(), threading.Event()

    def work(job: Job[Any]) -> None:
        running.set()
        wait_until(lambda: job.should_stop)
        stopped.set()

    queue = yard.queue()
    await yard.work(work)
    job = await queue.add("x", timeout="200ms" if how == "timed out" else None)
    await eventually(running.is_set)
    if how == "cancelled":
        await queue.cancel(job.id)
    await eventually(stopped.is_set)
    assert not job.should_stop

"""Jobs that are cancelled: while they run, in any worker and executor, and before."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from stockyard import App, Flow, Hooks, Job, JobCancelled, JobFailed, JobStateError
from stockyard.model.job import JobState
from tests.support.child_handlers import alive, announced, spin
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def reason_of(job: Job[Any]) -> str:
    with pytest.raises(JobFailed) as caught:
        await job.wait_for_result("25s")
    return caught.value.reason


async def test_a_coroutine_in_another_program_is_cancelled(yard: Yard, redis_url: str, prefix: str) -> None:
    queue = yard.queue(attempts=3)
    starts: list[str] = []
    cleaned_up = asyncio.Event()
    failures: list[BaseException] = []

    async def work(job: Job[Any]) -> None:
        starts.append(job.id)
        try:
            await asyncio.Event().wait()
        finally:
            cleaned_up.set()

    hooks = Hooks(failed=lambda job, error: failures.append(error))
    await yard.work(work, hooks=hooks)
    job, other = await queue.add_many([("x",), ("x",)])
    await eventually(lambda: job.id in starts)

    async with App(yard.topology, redis_url, prefix=prefix) as elsewhere:
        theirs = await elsewhere.queue("q").get_job(job.id)
        assert theirs is not None
        await theirs.cancel("market closed")
        assert await reason_of(theirs) == "cancelled: market closed"
    assert cleaned_up.is_set()
    assert starts.count(job.id) == 1
    assert (await job.refresh()).attempts_made == 1
    await eventually(lambda: bool(failures))
    assert isinstance(failures[0], JobCancelled)
    await other.cancel()
    assert await reason_of(other) == "cancelled"


async def test_an_error_raised_while_it_is_broken_off_earns_no_retry(yard: Yard) -> None:
    queue, running = yard.queue(attempts=5), asyncio.Event()

    async def work(job: Job[Any]) -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("while cleaning up") from None

    await yard.work(work)
    job = await queue.add("x")
    await running.wait()
    await job.cancel()
    assert await reason_of(job) == "cancelled"
    assert (await job.refresh()).attempts_made == 1


async def test_a_plain_function_in_a_thread_is_given_up(yard: Yard) -> None:
    queue, running, over = yard.queue(), threading.Event(), threading.Event()

    def work(job: Job[Any]) -> None:
        running.set()
        over.wait(30)

    try:
        await yard.work(work)
        job = await queue.add("x")
        await eventually(running.is_set)
        await job.cancel()
        assert await reason_of(job) == "cancelled"
    finally:
        over.set()


async def test_a_child_process_is_killed(yard: Yard, tmp_path: Path) -> None:
    queue, place = yard.queue(), tmp_path / "pid"
    await yard.work(spin, executor="process")
    job = await queue.add("x", str(place))
    child = await announced(place)
    await job.cancel("too late")
    assert await reason_of(job) == "cancelled: too late"
    await eventually(lambda: not alive(child))


async def test_a_job_that_nobody_runs_fails_without_being_run(yard: Yard) -> None:
    queue, ran = yard.queue(), list[str]()
    waiting = await queue.add("x")
    first = await queue.add("x", priority=2)
    delayed = await queue.add("x", delay="1h")
    for job in (waiting, first, delayed):
        await job.cancel("not wanted")
    await yard.work(lambda job: ran.append(job.id))
    for job in (waiting, first, delayed):
        assert await reason_of(job) == "cancelled: not wanted"
    assert ran == []
    await waiting.retry()
    await waiting.wait_for_result("25s")
    assert ran == [waiting.id]


async def test_a_parent_fails_before_its_children_have_ended(yard: Yard) -> None:
    yard.queue()
    yard.queue("children")
    tree = await yard.app.flows.add(Flow("parent", "q", children=[Flow("child", "children")]))
    await tree.job.cancel()
    await yard.work(lambda job: "ran")
    assert await reason_of(tree.job) == "cancelled"


async def test_an_ended_job_cannot_be_cancelled(yard: Yard) -> None:
    queue = yard.queue()
    await yard.work(lambda job: "done")
    job = await queue.add("x")
    assert await job.wait_for_result("25s") == "done"
    with pytest.raises(JobStateError, match="has ended"):
        await job.cancel()
    assert await job.state() is JobState.COMPLETED

"""A handler that blocks its worker's event loop is named, with its stack, while it still blocks."""

import asyncio
import logging
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from stockyard import InvalidOption, Job
from stockyard.consume import long_runs, loop_watch
from stockyard.consume.handler_frames import in_handler
from stockyard.model.stack_note import StackNote, latest_note
from tests.support.waiting import eventually
from tests.support.yard import Yard


class Watchman(logging.Handler):
    """Keeps the lines of the watch, and opens what blocks as soon as the first has come."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[logging.LogRecord] = []
        self.seen = threading.Event()
        self.seen_job = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record)
        self.seen.set()
        if hasattr(record, "job"):
            self.seen_job.set()


@pytest.fixture
def watchman() -> Iterator[Watchman]:
    log = logging.getLogger("stockyard.consume.loop_watch")
    made = Watchman()
    log.addHandler(made)
    yield made
    log.removeHandler(made)


async def test_the_handler_that_blocks_the_loop_is_named(yard: Yard, watchman: Watchman) -> None:
    async def block(job: Job[Any]) -> bool:
        return watchman.seen.wait(60)

    queue = yard.queue()
    worker = await yard.work(block, blocked_after="50ms")
    job = await queue.add("stuck")
    assert await job.wait_for_result(60) is True
    first = watchman.lines[0]
    text = first.getMessage()
    assert "the event loop of queue q has stood still for" in text
    assert f"job {job.id} ('stuck') of queue q, attempt 1 blocks it at {__file__}:" in text
    assert "in block. Meanwhile no other job of this loop runs." in text
    assert "return watchman.seen.wait(60)" in text
    assert "consume" not in text
    assert (first.queue, first.job, first.job_name, first.attempt) == ("q", job.id, "stuck", 1)  # type: ignore[attr-defined]
    await eventually(lambda: len(watchman.lines) == 2)
    assert "the event loop of queue q runs again after at least" in watchman.lines[1].getMessage()
    still, over = (float(re.search(r"at least ([\d.]+) s", line.getMessage())[1]) for line in watchman.lines)  # type: ignore[index]
    assert still <= over
    assert worker.metrics.blocked == 1
    assert 0 < worker.metrics.blocked_seconds < 60


async def test_something_else_that_blocks_the_loop_is_named_too(yard: Yard, watchman: Watchman) -> None:
    async def swift(job: Job[Any]) -> None: ...

    yard.queue()
    await yard.work(swift, blocked_after="50ms")
    assert watchman.seen.wait(60)
    text = watchman.lines[0].getMessage()
    assert "in test_something_else_that_blocks_the_loop_is_named_too" in text
    assert "task 'Task-" in text


async def test_a_worker_may_go_unwatched(yard: Yard, watchman: Watchman) -> None:
    async def block(job: Job[Any]) -> bool:
        return watchman.seen.wait(3)

    queue = yard.queue()
    await yard.work(block, blocked_after=None)
    job = await queue.add("stuck")
    assert await job.wait_for_result(60) is False
    assert watchman.lines == []


@pytest.mark.parametrize("value", [0, "soon", -1])
def test_a_mistake_is_named(yard: Yard, value: Any) -> None:
    yard.queue()
    with pytest.raises(InvalidOption, match="blocked_after must"):
        yard.app.worker("q", lambda job: None, blocked_after=value)


def test_a_stack_without_frames_of_a_handler_is_shown_whole() -> None:
    assert list(in_handler(())) == []


async def test_the_stack_is_noted_in_the_log_of_the_job(yard: Yard, watchman: Watchman) -> None:
    async def block(job: Job[Any]) -> bool:
        return watchman.seen_job.wait(60)

    queue = yard.queue()
    await yard.work(block, blocked_after="50ms")
    job = await queue.add("stuck")
    assert await job.wait_for_result(60) is True
    note = await noted(job)
    assert note.reason.startswith("it has blocked the event loop of its worker for ")
    assert "return watchman.seen_job.wait(60)" in note.stack


@pytest.mark.parametrize("executor", ["async", "thread"])
async def test_a_run_that_is_far_longer_than_others_is_noted(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    begun, opened, thread_opened = threading.Event(), asyncio.Event(), threading.Event()

    async def hang(job: Job[Any]) -> None:
        begun.set()
        await opened.wait()

    def hang_in_thread(job: Job[Any]) -> None:
        begun.set()
        thread_opened.wait(60)

    monkeypatch.setattr(loop_watch, "_LONG_RUNS_SECONDS", 0.0)
    queue = yard.queue()
    await yard.work(hang if executor == "async" else hang_in_thread)
    job = await queue.add("slow")
    await eventually(begun.is_set)
    monkeypatch.setattr(long_runs, "_SECONDS_AT_FIRST", 0.0)
    note = await noted(job)
    assert note.reason.startswith("it has run for ")
    assert ("in hang\n" if executor == "async" else "in hang_in_thread\n") in note.stack
    opened.set()
    thread_opened.set()
    await job.wait_for_result(60)


async def noted(job: Job[Any]) -> StackNote:
    found: list[StackNote | None] = []

    async def is_noted() -> bool:
        found.append(latest_note(await job.logs(), 1))
        return found[-1] is not None

    await eventually(is_noted)
    assert found[-1] is not None
    return found[-1]

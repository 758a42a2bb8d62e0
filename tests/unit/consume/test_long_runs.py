"""A run is noted once when it is far longer than others, with the place where its handler stands."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from stockyard.consume.executors.threads import ThreadPool
from stockyard.consume.long_runs import LongRuns, limit_of, stack_of
from stockyard.consume.worker_metrics import Histogram
from stockyard.model.stack_note import StackNote
from tests.support.waiting import eventually


def run(job_id: str, runs: Histogram | None = None, **fields: Any) -> Any:
    job = SimpleNamespace(id=job_id, attempt=1)
    counters = SimpleNamespace(run=runs or Histogram())
    return SimpleNamespace(
        **{"job": job, "token": "t", "counters": counters, "task": None, "handler": None, **fields}
    )


@pytest.mark.parametrize(
    ("seconds", "number", "limit"),
    [(0.2, 19, 300.0), (0.2, 20, 60.0), (7.0, 100, 100.0), (50.0, 30, 600.0), (1000.0, 30, 3000.0)],
)
def test_what_is_far_longer_depends_on_the_runs_that_ended(seconds: float, number: int, limit: float) -> None:
    runs = Histogram()
    for _ in range(number):
        runs.observe(seconds)
    assert limit_of(runs) == limit


def test_a_run_is_noted_once() -> None:
    noted: list[tuple[str, StackNote]] = []
    watch = LongRuns(lambda job, note: noted.append((job.id, note)))
    old, young = run("old"), run("young")
    watch.look([old], 1000.0)
    watch.look([old, young], 1300.0)
    assert noted == []
    watch.look([old, young], 1301.0)
    watch.look([old, young], 1400.0)
    assert [job_id for job_id, _ in noted] == ["old"]
    assert noted[0][1] == StackNote(1, "it has run for 301 s; it is far longer than usual beyond 300 s", "")
    watch.look([], 1401.0)
    # The same job, run again by the same token, would be another run.
    watch.look([old], 1402.0)
    watch.look([old], 1703.0)
    assert [job_id for job_id, _ in noted] == ["old", "old"]


async def test_the_stack_of_a_coroutine_is_that_of_what_it_awaits() -> None:
    opened = asyncio.Event()

    async def inner() -> None:
        await opened.wait()

    async def handler() -> None:
        await inner()

    task = asyncio.create_task(handler())
    await asyncio.sleep(0)
    text = stack_of(run("j", task=task))
    assert "in handler" in text
    assert "in inner" in text
    opened.set()
    await task
    assert stack_of(run("j", task=task)) == ""


async def test_the_stack_of_a_plain_function_is_that_of_its_thread() -> None:
    begun, opened = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def handler(_: object) -> None:
        loop.call_soon_threadsafe(begun.set)
        opened.wait(60)

    pool = ThreadPool(size=1, name="test")
    task = asyncio.create_task(pool.run(handler, None))
    await begun.wait()
    # The thread is yet to come to its next line.
    await eventually(lambda: "opened.wait(60)" in stack_of(run("j", task=task)))
    assert "in handler" in stack_of(run("j", task=task))
    opened.set()
    await task
    pool.close()


async def test_a_child_process_shows_no_stack() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    assert stack_of(run("j", task=task, handler=SimpleNamespace(executor="process"))) == ""
    task.cancel()

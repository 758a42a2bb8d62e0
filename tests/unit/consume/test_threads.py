"""The pool of daemon threads."""

import asyncio
import threading
from typing import Any

import pytest

from stockyard.consume.executors.threads import ThreadPool
from tests.support.waiting import eventually


async def test_as_many_run_at_once_as_there_are_places() -> None:
    pool = ThreadPool(size=6, name="t")
    barrier = threading.Barrier(6, timeout=5)
    for warm in (2, 4, 0):
        await asyncio.gather(*(pool.run(lambda _: None, None) for _ in range(warm)))
        await asyncio.gather(*(pool.run(lambda _: barrier.wait(), None) for _ in range(6)))
    pool.close()


async def test_no_more_run_at_once_than_there_are_places() -> None:
    pool = ThreadPool(size=3, name="t")
    guard, running, most = threading.Lock(), 0, 0
    pause = threading.Event()

    def work(_: Any) -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        pause.wait(0.001)
        with guard:
            running -= 1

    await asyncio.gather(*(pool.run(work, None) for _ in range(60)))
    assert most == 3
    pool.close()


async def test_what_was_cancelled_while_it_stood_in_line_never_runs() -> None:
    pool = ThreadPool(size=1, name="t")
    gate = threading.Event()
    ran: list[str] = []
    first = asyncio.create_task(pool.run(lambda _: gate.wait(5), None))
    second = asyncio.create_task(pool.run(ran.append, "second"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second.cancel()
    gate.set()
    await first
    await pool.run(ran.append, "third")
    assert ran == ["third"]
    pool.close()


async def test_a_cancelled_caller_goes_on_at_once() -> None:
    pool = ThreadPool(size=1, name="t")
    gate, entered = threading.Event(), threading.Event()

    def work(_: Any) -> None:
        entered.set()
        gate.wait(5)

    task = asyncio.create_task(pool.run(work, None))
    await eventually(entered.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    await pool.run(lambda _: None, None)
    pool.close()


@pytest.mark.parametrize("error", [ValueError("v"), StopIteration("s"), GeneratorExit("g"), SystemExit(2)])
async def test_errors_reach_the_caller(error: BaseException) -> None:
    pool = ThreadPool(size=1, name="t")

    def work(_: Any) -> None:
        raise error

    expected = RuntimeError if isinstance(error, StopIteration | GeneratorExit) else type(error)
    with pytest.raises(expected):
        await pool.run(work, None)
    pool.close()


async def test_closing_lets_the_threads_end() -> None:
    pool = ThreadPool(size=4, name="ending")
    await asyncio.gather(*(pool.run(lambda _: None, None) for _ in range(4)))
    pool.close()
    await eventually(lambda: not [each for each in threading.enumerate() if each.name.startswith("ending")])

"""The pool of daemon threads."""

import asyncio
import itertools
import threading
from typing import Any

import pytest

from stockyard.consume.executors.not_started import NotStarted
from stockyard.consume.executors.threads import AbandonedThread, ThreadPool
from stockyard.errors import JobTimeout, Requeue
from tests.support.waiting import eventually


async def test_as_many_run_at_once_as_there_are_places() -> None:
    pool = ThreadPool(size=6, name="t")
    barrier = threading.Barrier(6, timeout=60)
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
    first = asyncio.create_task(pool.run(lambda _: gate.wait(60), None))
    second = asyncio.create_task(pool.run(ran.append, "second"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second.cancel()
    # The pool knows of it once the task has ended: only then may the thread come to the second.
    with pytest.raises(asyncio.CancelledError):
        await second
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
        gate.wait(60)

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


async def test_a_timeout_counts_from_when_the_function_starts() -> None:
    """What stands in line for a thread has not begun."""
    abandoned: list[AbandonedThread] = []
    pool = ThreadPool(size=1, name="t", on_abandoned=abandoned.append)
    gate = threading.Event()
    ran: list[str] = []
    first = asyncio.create_task(pool.run(lambda _: gate.wait(60), None))
    await asyncio.sleep(0)
    second = asyncio.create_task(pool.run(ran.append, "second", timeout=0.02))
    loop = asyncio.get_running_loop()
    later = loop.time() + 0.1
    await eventually(lambda: loop.time() > later)
    assert not second.done()
    gate.set()
    await first
    await second
    assert ran == ["second"]
    assert not abandoned
    pool.close()


async def test_abandoned_threads_are_replaced_so_many_times_and_come_back() -> None:
    abandoned: list[AbandonedThread] = []
    returned: list[AbandonedThread] = []
    pool = ThreadPool(size=2, name="t", replacements=1, on_abandoned=abandoned.append, on_returned=returned.append)
    gate = threading.Event()
    for number in range(1, 4):
        with pytest.raises(JobTimeout):
            await pool.run(lambda _: gate.wait(10), number, timeout=0.01)
        assert (pool.hung, pool.lost) == (number, number - 1)
    assert [thread.subject for thread in abandoned] == [1, 2, 3]
    assert all("gate.wait(10)" in thread.stack for thread in abandoned)
    with pytest.raises(Requeue):
        await pool.run(lambda _: None, 4)
    gate.set()
    await eventually(lambda: len(returned) == 3)
    assert (pool.hung, pool.lost) == (0, 0)
    barrier = threading.Barrier(2, timeout=60)
    await asyncio.gather(*(pool.run(lambda _: barrier.wait(), None) for _ in range(2)))
    pool.close()
    await eventually(lambda: not [each for each in threading.enumerate() if each.name.startswith("t-")])


async def test_what_stands_in_line_goes_back_when_the_last_thread_hangs() -> None:
    pool = ThreadPool(size=1, name="t", replacements=0)
    gate = threading.Event()
    first = asyncio.create_task(pool.run(lambda _: gate.wait(10), None, timeout=0.05))
    await asyncio.sleep(0)
    second = asyncio.create_task(pool.run(lambda _: None, None, timeout=0.01))
    with pytest.raises(JobTimeout):
        await first
    with pytest.raises(Requeue):
        await second
    gate.set()
    await eventually(lambda: not pool.hung)
    await pool.run(lambda _: None, None)
    assert [thread.subject for thread in pool.close()] == []


async def test_a_pool_changes_its_size_while_it_works() -> None:
    pool = ThreadPool(size=1, name="resized")
    barrier = threading.Barrier(4, timeout=60)
    waiting = [asyncio.create_task(pool.run(lambda _: barrier.wait(), None)) for _ in range(4)]
    await asyncio.sleep(0)
    pool.resize(4)
    await asyncio.gather(*waiting)
    pool.resize(1)
    await eventually(lambda: len([each for each in threading.enumerate() if each.name.startswith("resized")]) == 1)
    await pool.run(lambda _: None, None)
    pool.close()


def refuse_threads(monkeypatch: pytest.MonkeyPatch, *, after: int = 0) -> None:
    """Let the machine give so many threads and no more."""
    begin, given = threading.Thread.start, itertools.count()

    def start(thread: threading.Thread) -> None:
        if next(given) >= after:
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)


async def test_a_call_that_no_thread_can_run_is_never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ThreadPool(size=2, name="t")
    ran: list[int] = []
    with monkeypatch.context() as short:
        refuse_threads(short)
        with pytest.raises(NotStarted, match="can't start new thread"):
            await pool.run(ran.append, 1)
    both = threading.Barrier(2, timeout=60)
    await asyncio.gather(*(pool.run(lambda _: both.wait(), None) for _ in range(2)))
    await pool.run(ran.append, 2)
    assert ran == [2]
    pool.close()


async def test_threads_that_run_take_what_waits_when_none_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ThreadPool(size=3, name="t")
    await pool.run(lambda _: None, None)
    refuse_threads(monkeypatch)
    ran: list[int] = []
    await asyncio.gather(*(pool.run(ran.append, number) for number in range(5)))
    assert ran == [0, 1, 2, 3, 4]
    pool.close()


async def test_an_abandoned_thread_that_cannot_be_replaced_ends_the_wait_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = ThreadPool(size=1, name="t")
    gate, entered = threading.Event(), threading.Event()

    def hang(_: Any) -> None:
        entered.set()
        gate.wait(60)

    refuse_threads(monkeypatch, after=1)
    hung = asyncio.create_task(pool.run(hang, None, timeout=0.05))
    waiting = asyncio.create_task(pool.run(lambda _: None, None))
    await eventually(entered.is_set)
    with pytest.raises(JobTimeout):
        await hung
    with pytest.raises(NotStarted):
        await waiting
    gate.set()
    pool.close()

"""Waits for a condition with a deadline, so that no test sleeps for a guessed time."""

import asyncio
import inspect
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self


async def eventually(
    predicate: Callable[[], object | Awaitable[object]], *, within: float = 25.0, every: float = 0.01
) -> None:
    """Return once `predicate`, sync or async, is true; fail the test after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        found = predicate()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return
        if time.monotonic() > deadline:
            raise AssertionError(_late(predicate, within, found))
        await asyncio.sleep(every)


def wait_until(predicate: Callable[[], object], *, within: float = 25.0, every: float = 0.01) -> None:
    """Return once `predicate` is true, in a test without an event loop; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while not (found := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(_late(predicate, within, found))
        time.sleep(every)


async def stays(
    predicate: Callable[[], object | Awaitable[object]], *, during: float = 0.1, every: float = 0.01
) -> None:
    """Fail the test unless `predicate`, sync or async, is true all the time for `during` seconds."""
    deadline = time.monotonic() + during
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
        if not value:
            raise AssertionError(f"no longer true (value {value!r}): {_source(predicate)}")
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(every)


class ticks:
    """Counts from 0, with a pause of `every` seconds before each number: the pace of a load, or of faults."""

    def __init__(self, every: float, times: int | None = None) -> None:
        self._every = every
        self._numbers = iter(itertools.count() if times is None else range(times))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        for number in self._numbers:
            await asyncio.sleep(self._every)
            return number
        raise StopAsyncIteration


async def results_awaited(*tasks: "asyncio.Task[Any]") -> None:
    """Return once each task, which calls `wait_for_result`, has nothing left to do but wait for the job's end."""
    await eventually(lambda: all(_innermost(task).endswith("_Reader.wait") for task in tasks))


def _innermost(task: "asyncio.Task[Any]") -> str:
    """Name of the coroutine function whose `await` of a future the task is suspended in."""
    awaited: Any = task.get_coro()
    name = ""
    while inspect.iscoroutine(awaited):
        name, awaited = awaited.__qualname__, awaited.cr_await
    return name


def _late(predicate: Callable[[], object], within: float, found: object) -> str:
    return f"not true within {within:g} s (last value {found!r}): {_source(predicate)}"


def _source(predicate: Callable[[], object]) -> str:
    try:
        return inspect.getsource(predicate).strip()
    except (OSError, TypeError):
        return repr(predicate)

"""Waits for a condition with a deadline, so that no test sleeps for a guessed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def eventually(
    predicate: Callable[[], object | Awaitable[object]], *, within: float = 10.0, every: float = 0.01
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


def wait_until(predicate: Callable[[], object], *, within: float = 10.0, every: float = 0.01) -> None:
    """Return once `predicate` is true, in a test without an event loop; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while not (found := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(_late(predicate, within, found))
        time.sleep(every)


def _late(predicate: Callable[[], object], within: float, found: object) -> str:
    try:
        condition = inspect.getsource(predicate).strip()
    except (OSError, TypeError):
        condition = repr(predicate)
    return f"not true within {within:g} s (last value {found!r}): {condition}"

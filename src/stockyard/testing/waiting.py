"""Waits in tests: for a condition, and for a worker to take jobs."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from stockyard.consume.worker import Worker
from stockyard.model.duration import Duration, milliseconds

_PAUSE_SECONDS = 0.002


async def eventually(condition: Callable[[], object | Awaitable[object]], *, within: Duration = "5s") -> None:
    """Return as soon as a condition is true: for what happens in the background, in place of a sleep.

    Args:
        condition: a function, or a coroutine function, without arguments.
        within: real time after which it gives up. Defaults to 5 s.

    Raises:
        TimeoutError: it has not become true; the message has its source.
        InvalidOption: ``within`` is no duration.

    Example:
        await eventually(lambda: "A1" in exchange.orders)
    """
    until = time.monotonic() + milliseconds(within, option="within") / 1000
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return
        if time.monotonic() >= until:
            raise TimeoutError(f"not true within {within} (last value {value!r}): {_source(condition)}")
        await asyncio.sleep(_PAUSE_SECONDS)


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[Worker]:
    """Run a worker in the background of the block, which begins when it takes jobs; behind it the worker stops.

    Jobs that still run then are handed back at once.

    Args:
        worker: one that was not run yet.

    Raises:
        ConfigError: the worker has been run already.
        BaseException: what ``worker.run`` raised.

    Example:
        async with running(app.worker("orders")):
            ...
    """
    task = asyncio.create_task(worker.run())
    ready = asyncio.create_task(worker.ready.wait())
    try:
        await asyncio.wait([ready, task], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            yield worker
    finally:
        ready.cancel()
        if not task.done():
            await worker.stop(grace=0)
        await task


def _source(condition: Callable[[], object]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)

"""What a program opens before its workers run and closes after them: once per event loop, around all workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from stockyard.consume.hooks import Hooks, begin, call_hook
from stockyard.topology import LifespanFactory

_log = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 2.0
"""How long what was opened may take to close, so that a stop takes no longer than the grace and this."""


class Lifespan:
    """The context managers of a topology, entered with the first worker of a loop and left with its last.

    Args:
        factories: make them, in the order in which they are entered.
    """

    def __init__(self, factories: Sequence[LifespanFactory]) -> None:
        self._factories = factories
        self._workers = 0
        self._changing = asyncio.Lock()
        self._entered = AsyncExitStack()

    @asynccontextmanager
    async def around(self, hooks: Hooks) -> AsyncIterator[None]:
        """Enter them unless another worker has, then call the worker's hooks; raises what these raise."""
        async with self._changing:
            if self._workers == 0:
                async with AsyncExitStack() as entering:
                    for factory in self._factories:
                        await entering.enter_async_context(factory())
                    self._entered = entering.pop_all()
            self._workers += 1
        try:
            await begin(hooks.startup)
            yield
            await call_hook(hooks.shutdown)
        finally:
            async with self._changing:
                self._workers -= 1
                if self._workers == 0:
                    await close(self._entered)


async def close(opened: AsyncExitStack) -> None:
    """Close what was opened, within ``SHUTDOWN_SECONDS``; what fails is logged and keeps nothing from stopping."""
    try:
        async with asyncio.timeout(SHUTDOWN_SECONDS):
            await opened.aclose()
    except TimeoutError:
        _log.error("what the workers opened was not closed within %g s; they stop without it", SHUTDOWN_SECONDS)
    except Exception:
        _log.exception("what the workers opened could not be closed")

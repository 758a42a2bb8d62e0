"""A thread for what the program's own loops must not hold up, started when first needed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Future
from typing import Any

from stockyard._aio.portal import Portal
from stockyard._aio.process_lock import ProcessLock
from stockyard._aio.shared import shared


class Background:
    """Services of one process, each a coroutine that runs until it is cancelled; a forked child starts its own."""

    def __init__(self) -> None:
        self._portal = Portal()
        self._guard = ProcessLock()
        self._running: dict[str, Future[asyncio.Task[None]]] = {}
        self._owner = os.getpid()

    def start(self, name: str, service: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a service, unless it runs; returns at once, as this may be called in a loop."""
        if name in self._running and self._owner == os.getpid():
            return
        with self._guard:
            if self._owner != os.getpid():
                self._running, self._owner = {}, os.getpid()
            if name not in self._running:
                self._running[name] = self._portal.submit(_launched(name, service))

    async def call(self, action: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine there and return its result."""
        # Not by a thread that waits: those of the caller's loop may all be waiting for this very call.
        work = asyncio.wrap_future(self._portal.submit(action))
        return await shared(work, "a call of the cache's background")

    def close(self, last: Callable[[], Awaitable[None]]) -> None:
        """End every service, run ``last`` there, and end the thread; it can be started again."""
        with self._guard:
            running, self._running = self._running, {}
            if self._portal.is_open:
                self._portal.run(_ended(running.values(), last))
                self._portal.close()


async def _launched(name: str, service: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
    return asyncio.create_task(service(), name=f"cache: {name}")


async def _ended(launched: Iterable[Future[asyncio.Task[None]]], last: Callable[[], Awaitable[None]]) -> None:
    # They were given to this loop before this, and it may still be about to say that it has made their tasks.
    tasks = await asyncio.gather(*map(asyncio.wrap_future, launched))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await last()

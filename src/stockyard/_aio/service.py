"""Loops in the background: started once, stopped once, and stopping twice is fine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from stockyard._aio.repeats import repeats

_log = logging.getLogger(__name__)


class Service(Protocol):
    """A part that works in the background between ``start`` and ``stop``."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End; stopping twice is fine."""


class Periodic:
    """Calls a coroutine function again and again; a failure is logged, the same
    one at most once a minute, and the next call comes in time.

    Args:
        action: what to do.
        seconds: pause between the end of one call and the start of the next.
        name: for the log.
    """

    def __init__(self, action: Callable[[], Awaitable[None]], seconds: float, *, name: str) -> None:
        self._action = action
        self._seconds = seconds
        self._name = name
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin with a first call at once, in the background."""
        self._task = self._task or asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Cancel the call in hand and end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            try:
                await self._action()
            except Exception as error:
                repeats.warn(_log, self._name, error)
            await asyncio.sleep(self._seconds)

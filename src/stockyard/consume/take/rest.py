"""Whether a worker takes no jobs for now, and when it has none left in hand."""

from __future__ import annotations

import asyncio

from stockyard.consume.heartbeat import Heartbeat


class Rest:
    """The pause of one worker.

    Args:
        heartbeat: shows it.

    Attributes:
        is_on: whether the worker is paused.
    """

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat
        self._reached = asyncio.Event()
        self.is_on = False

    def begin(self) -> None:
        """Pause."""
        self._heartbeat.is_paused = self.is_on = True

    def end(self) -> None:
        """Go on; those who wait for the rest return."""
        self._heartbeat.is_paused = self.is_on = False
        self._reached.set()
        self._reached = asyncio.Event()

    def reach(self) -> None:
        """Note that nothing is in hand any more, or that the worker stops."""
        self._reached.set()

    async def wait(self) -> None:
        """Return when nothing is in hand any more, or the pause is over."""
        if self.is_on:
            await self._reached.wait()

"""Counts the calls to the server that a worker waits for."""

from __future__ import annotations

import asyncio


class CallsInFlight:
    """How many calls are under way; its length is their number."""

    def __init__(self) -> None:
        self._number = 0
        self._none = asyncio.Event()
        self._none.set()

    def __len__(self) -> int:
        return self._number

    def begin(self) -> None:
        """Count one in."""
        self._number += 1
        self._none.clear()

    def end(self) -> None:
        """Count one out."""
        self._number -= 1
        if not self._number:
            self._none.set()

    async def wait_for_end(self) -> None:
        """Return when none is under way."""
        await self._none.wait()

"""Pauses between attempts to reach a server: growing, jittered, bounded."""

from __future__ import annotations

import asyncio

from stockyard._aio.randomness import jitter


class RetryDelay:
    """A pause that doubles with each failure and starts again from the shortest after a success.

    Args:
        first: seconds of the first pause. Defaults to 0.05.
        longest: seconds of the longest. Defaults to 1: with its jitter nobody sleeps for two seconds beside a
            server that is back.
    """

    def __init__(self, first: float = 0.05, longest: float = 1.0) -> None:
        self._first = first
        self._longest = longest
        self._pause = first

    async def wait(self) -> None:
        """Sleep for half to one and a half of the present pause, and double it."""
        await asyncio.sleep(jitter(self._pause))
        self._pause = min(self._pause * 2, self._longest)

    def reset(self) -> None:
        """The attempt succeeded."""
        self._pause = self._first

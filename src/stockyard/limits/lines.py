"""Lines of calls that wait in one loop: the first of each line asks the server, the others wait behind it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class Lines:
    """The lines of one loop. Calls that need the same limits in the same scopes are served in the order they came.

    A call that comes where nobody waits does not need a line: it asks at once.
    """

    def __init__(self) -> None:
        self._lines: dict[Hashable, deque[asyncio.Future[None]]] = {}
        self._sleepers: set[asyncio.Future[None]] = set()

    def is_empty(self, line: Hashable) -> bool:
        """Say whether no call waits in a line."""
        return line not in self._lines

    @asynccontextmanager
    async def turn(self, line: Hashable) -> AsyncIterator[None]:
        """Wait to be the first of a line; behind the block, the next one is."""
        waiting = self._lines.setdefault(line, deque())
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(place)
        if waiting[0] is place:
            place.set_result(None)
        try:
            await place
            yield
        finally:
            waiting.remove(place)
            if not waiting:
                del self._lines[line]
            elif not waiting[0].done():
                waiting[0].set_result(None)

    async def pause(self, seconds: float) -> None:
        """Sleep, or until ``wake``."""
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.add(sleeper)
        try:
            await asyncio.wait([sleeper], timeout=seconds)
        finally:
            self._sleepers.discard(sleeper)

    def wake(self) -> None:
        """Let the first of every line ask again: something was given back."""
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)

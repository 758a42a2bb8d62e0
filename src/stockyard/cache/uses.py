"""Uses of entries that were read by plain commands, noted on the server a moment later, many at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from stockyard._store.caches import reading
from stockyard._store.caches.caching import CacheKeyspace
from stockyard.errors import ServerError

_SECONDS = 0.05
_MOST = 200


class Uses:
    """What a loop has read from the caches of a server since it last said so.

    Who leaves first for want of room depends on it, so a note may come a moment later than the use, or never where
    the process is killed. A write of the same loop takes the notes with it.

    Args:
        keyspace: the server.
    """

    def __init__(self, keyspace: CacheKeyspace) -> None:
        self._keyspace = keyspace
        self._loop = asyncio.get_running_loop()
        self._noted: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None

    def note(self, member: str, used_us: int) -> None:
        """Note the use of an entry."""
        self._noted[member] = used_us
        if self._timer is None:
            self._timer = self._loop.call_later(_SECONDS, self._leave)
        elif len(self._noted) == _MOST:
            self._timer.cancel()
            self._leave()

    def taken(self) -> dict[str, int]:
        """Return what was noted, for a call that takes it along."""
        noted, self._noted = self._noted, {}
        return noted

    async def aclose(self) -> None:
        """Send what is left."""
        if self._timer is not None:
            self._timer.cancel()
        if self._sending is not None:
            await asyncio.wait([self._sending])
        await self._send()

    def _leave(self) -> None:
        self._timer = None
        if self._noted and (self._sending is None or self._sending.done()):
            self._sending = self._loop.create_task(self._send(), name="uses of a cache")

    async def _send(self) -> None:
        if noted := self.taken():
            # A full server refuses it, and a user who may only read: the entries are read all the same.
            with suppress(ServerError):
                await reading.note_uses(self._keyspace, noted)

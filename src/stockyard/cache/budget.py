"""How many bytes all caches of a server may take: what was chosen, and less while the server is short."""

from __future__ import annotations

import asyncio
import logging

from stockyard._store.caches.caching import UNBOUNDED, CacheKeyspace, Memory, evict_to, read_memory
from stockyard.errors import ServerError

_log = logging.getLogger(__name__)

DEFAULT = 256 * 2**20
"""Bytes, where the server has no ``maxmemory`` or hides it."""

_SHARE = 4
_FULL, _WATCHFUL = 0.9, 0.7
_PAUSE, _SHORT_PAUSE = 1.0, 0.1
_STEP = 2**20


def allowed(chosen: int | None, memory: Memory) -> int:
    """Return the bytes that caches may take now.

    Args:
        chosen: the declared budget; None for a quarter of the server's memory.
        memory: the server's.
    """
    limit = memory.limit or 0
    whole = chosen if chosen is not None else limit // _SHARE or DEFAULT
    if not limit or memory.used is None:
        return whole
    # Caches give way to jobs before the server refuses anything.
    spare = int(limit * _FULL) - memory.used
    return max(0, min(whole, memory.cached + spare))


class Budget:
    """The budget of one server's caches.

    Args:
        keyspace: the server.
        chosen: bytes; None for a quarter of the server's memory.
        is_bounded: False for a server that evicts by itself.
    """

    def __init__(self, keyspace: CacheKeyspace, chosen: int | None, *, is_bounded: bool) -> None:
        self._keyspace = keyspace
        self._chosen = chosen
        self.is_bounded = is_bounded
        self._bytes: int | None = None if is_bounded else UNBOUNDED
        self._memory = Memory(None, None, 0)

    async def bytes(self) -> int:
        """Return what the next write must keep to."""
        if self._bytes is None:
            await self._look()
        return self._bytes if self._bytes is not None else DEFAULT

    async def make_room(self) -> None:
        """The server is full: let a part of what is cached go."""
        if not self.is_bounded:
            return
        await self._look()
        cached = self._memory.cached
        self._bytes = max(0, min(await self.bytes(), cached - max(_STEP, cached // 10)))
        await evict_to(self._keyspace, self._bytes)

    async def make_place(self, size: int) -> None:
        """Let entries go for a value of so many bytes, if it can be written at all."""
        allowed_now, needed = await self.bytes(), size * 9 // 8 + 4096
        if needed <= allowed_now:
            await evict_to(self._keyspace, allowed_now - needed)

    async def watch(self) -> None:
        """Look at the server's memory now and then, and let entries go when it is short, until cancelled."""
        while True:
            try:
                await self._look()
                if self._bytes is not None and self._memory.cached > self._bytes:
                    await evict_to(self._keyspace, self._bytes)
            except ServerError as error:
                _log.debug("the cache cannot see the server's memory: %s", error)
            await asyncio.sleep(_SHORT_PAUSE if self._is_watchful else _PAUSE)

    @property
    def _is_watchful(self) -> bool:
        used, limit = self._memory.used, self._memory.limit
        return bool(used and limit and used > limit * _WATCHFUL)

    async def _look(self) -> None:
        self._memory = await read_memory(self._keyspace)
        self._bytes = allowed(self._chosen, self._memory)

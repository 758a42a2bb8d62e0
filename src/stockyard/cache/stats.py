"""What a cache did in this process, and what it holds on the server."""

from __future__ import annotations

import msgspec


class CacheStats(msgspec.Struct, frozen=True):
    """One cache as this process used it.

    Attributes:
        hits: answered from the server, in date.
        near_hits: answered from the process's own copies.
        misses: not there, or not readable as the declared type any more.
        loads: loaders that ran in this process.
        stale: answered with what was past its time, while a refresh ran.
        waits: callers that waited for another caller's load, in this process or another.
        evictions: entries of this cache that left to make room, of all processes.
        errors: writes refused, loads that failed in the background, calls that the server did not answer.
        bytes: what the entries count for in the budget.
        entries: how many there are.

    The last two and ``evictions`` are as of this process's last write; 0 on a server of their own, which evicts
    by itself.
    """

    hits: int = 0
    near_hits: int = 0
    misses: int = 0
    loads: int = 0
    stale: int = 0
    waits: int = 0
    evictions: int = 0
    errors: int = 0
    bytes: int = 0
    entries: int = 0

    @property
    def hit_rate(self) -> float:
        """Answers out of the cache per question, from 0 to 1; 0 when nothing was asked."""
        answered = self.hits + self.near_hits + self.stale
        return answered / (answered + self.misses) if answered else 0.0


class CacheUsage(msgspec.Struct, frozen=True):
    """One cache on the server, as all processes filled it.

    Attributes:
        name: the cache.
        entries: how many entries it has.
        bytes: what they count for in the budget.
        evictions: entries that left to make room, since the cache was first written.
    """

    name: str
    entries: int
    bytes: int
    evictions: int


class Counts:
    """The counters behind ``CacheStats``."""

    __slots__ = tuple(CacheStats.__struct_fields__)

    def __init__(self) -> None:
        self.hits = self.near_hits = self.misses = self.loads = self.stale = self.waits = 0
        self.evictions = self.errors = self.bytes = self.entries = 0

    def snapshot(self) -> CacheStats:
        """Return them as they are now."""
        return CacheStats(*(getattr(self, slot) for slot in self.__slots__))

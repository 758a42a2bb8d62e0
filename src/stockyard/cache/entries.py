"""One cache's entries as a loop reads and writes them: many calls at once are few round trips."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from stockyard._aio.per_loop import PerLoop
from stockyard._store.caches import caching, reading
from stockyard._store.caches.caching import BATCH, NO_ROOM, STORED, CacheKeyspace, Found, NewEntry
from stockyard.cache.batcher import Batcher
from stockyard.cache.budget import Budget
from stockyard.cache.stats import Counts
from stockyard.cache.uses import Uses
from stockyard.errors import ServerRefused

_LARGE = 250_000
"""Bytes: what is larger is written alone, and may take the place of more entries than a script evicts at once."""


class Entries:
    """The entries of one cache.

    Args:
        keyspace: the server.
        cache: the cache's name.
        budget: what the writes keep to.
        uses: what the loops have read from all caches of the budget.
        counts: where refusals are counted.
    """

    def __init__(
        self, keyspace: CacheKeyspace, cache: str, *, budget: Budget, uses: PerLoop[Uses], counts: Counts
    ) -> None:
        self._keyspace = keyspace
        self._cache = cache
        self._budget = budget
        self._counts = counts
        # A node of a cluster is not asked for its time with a key's entry: keys find their nodes, TIME any.
        self._reads_plainly = keyspace.server.address.kind != "cluster"
        # Whether the entry that was written last took the room of the one before it.
        self._keep_their_room = False
        self._uses = uses
        self._reads = PerLoop(lambda: Batcher(self._read, most=BATCH))
        self._writes = PerLoop(lambda: Batcher(self._write, most=BATCH, weigh=_weight, heaviest=_LARGE))

    async def read(self, key: str) -> Found | None:
        """Return an entry, or None.

        Raises:
            ServerError: the server did not answer.
        """
        return await self._reads.get().answer(key)

    def expect_reads(self, number: int) -> None:
        """So many entries are about to be read in this turn of the loop."""
        self._reads.get().expect(number)

    async def write(self, entry: NewEntry) -> int:
        """Write an entry; return ``STORED``, ``OUTDATED`` or, counted as an error, ``NO_ROOM``.

        Raises:
            ServerError: the server did not answer, or refused for another reason than being full.
        """
        return await self._writes.get().answer(entry)

    async def write_many(self, entries: Sequence[NewEntry]) -> list[int]:
        """Write entries at once; the answers and errors are those of ``write``."""
        if len(entries) == 1:
            return [await self.write(entries[0])]
        writes = self._writes.get()
        return await asyncio.gather(*map(writes.ask, entries))

    async def _read(self, keys: Sequence[str]) -> list[Found | None]:
        if len(keys) == 1 and self._reads_plainly:
            entry = await reading.read_one(self._keyspace, self._cache, keys[0])
            if entry is None:
                return [None]
            if not entry.found.tags:
                if self._budget.is_bounded:
                    self._uses.get().note(entry.member, entry.used_us)
                return [entry.found]
            # Whether its tags hold, only a script says in one round trip; the next one is likely to have some too.
            self._reads_plainly = False
        wanted = list(dict.fromkeys(keys))
        found = dict(zip(wanted, await caching.read(self._keyspace, self._cache, wanted), strict=True))
        return [found[key] for key in keys]

    async def _write(self, entries: Sequence[NewEntry]) -> list[int]:
        answers = await self._written(entries)
        if answers is None:
            # A full server: what is cached gives way, and the write is tried once more.
            await self._budget.make_room()
            answers = await self._written(entries) or [NO_ROOM] * len(entries)
        self._counts.errors += answers.count(NO_ROOM)
        return answers

    async def _written(self, entries: Sequence[NewEntry]) -> list[int] | None:
        try:
            budget = await self._budget.bytes()
            if (size := sum(map(_weight, entries))) > _LARGE:
                await self._budget.make_place(size)
            uses = self._uses.get().taken()
            if self._keep_their_room and len(entries) == 1 and not (entries[0].tags or entries[0].token):
                if await caching.write_in_place(self._keyspace, self._cache, entries[0], budget, uses):
                    return [STORED]
                uses = {}
            written = await caching.write(self._keyspace, self._cache, entries, budget, uses)
        except ServerRefused as error:
            if caching.is_full(error):
                return None
            raise
        counts = self._counts
        self._keep_their_room = written.totals is None and self._budget.is_bounded
        if written.totals is not None:
            counts.bytes, counts.entries, counts.evictions = written.totals
        return written.answers


def _weight(entry: NewEntry) -> int:
    return len(entry.value)

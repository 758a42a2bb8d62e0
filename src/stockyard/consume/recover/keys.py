"""Lets keys go on whose jobs have gone without a word: ended by Node, removed, or lost with their worker."""

from __future__ import annotations

from stockyard._aio.service import Periodic
from stockyard._store.jobs import keyed
from stockyard._store.jobs.keyed import FIRST, Place
from stockyard._store.keyspace import QueueKeyspace

_INTERVAL_MS = 400
"""Between two looks: what has gone is found within a second, also when a look takes a while."""

_PARTS = 20
"""Calls of one look, each through about 500 keys; the next look goes on where this one ended."""


class KeyRepairer:
    """Looks through the jobs that stand for their keys; over all workers of a queue once an interval.

    Our own workers let the next job of a key out of its line as they write the end of one. Nobody does for a job
    that a Node worker ended, that was removed, or whose end was written by a worker that died right after it.

    Args:
        keyspace: the queue; one that declares nothing of keys is left alone.
    """

    def __init__(self, keyspace: QueueKeyspace) -> None:
        self._keyspace = keyspace
        self._order = keyed.order_at(keyspace)
        self._place: Place = FIRST
        self._periodic = Periodic(self.look, _INTERVAL_MS / 1000, name=f"repair of keys of {keyspace.queue}")

    async def start(self) -> None:
        """Look now, and then in every interval."""
        if self._order is not None:
            await self._periodic.start()

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        await self._periodic.stop()

    async def look(self) -> None:
        """Look through a part of the keys, unless another worker did in this interval."""
        if self._order is None:
            return
        for _ in range(_PARTS):
            # A look comes a little earlier than the key of the one before it expires.
            place = await keyed.repair(
                self._keyspace, self._order, self._place, interval_ms=_INTERVAL_MS * 9 // 10
            )
            self._place = place or FIRST
            if place is None:
                return

"""Lets keys go on whose jobs have gone without a word: ended by Node, removed, or lost with their worker."""

from __future__ import annotations

import logging

from stockyard._aio.repeats import repeats
from stockyard._aio.service import Periodic
from stockyard._store.jobs import key_use, keyed
from stockyard._store.jobs.keyed import FIRST, Place
from stockyard._store.keyspace import QueueKeyspace

_log = logging.getLogger(__name__)

_INTERVAL_MS = 400
"""Between two looks: what has gone is found within a second, also when a look takes a while."""

_PARTS = 20
"""Calls of one look, each through about 500 keys; the next look goes on where this one ended."""

_COMPARING = 5.0
"""Seconds between two looks whether other programs declare the queue in the same way."""

_BESIDE_ITS_LINE = (
    "it runs beside the other jobs of its key: the program that added it does not declare the queue with "
    "ordered=True or key_concurrency; declare the queue in the same way in both"
)


class KeyRepairer:
    """Looks through the jobs that stand for their keys; over all workers of a queue once an interval.

    Our own workers let the next job of a key out of its line as they write the end of one. Nobody does for a job
    that a Node worker ended, that was removed, or whose end was written by a worker that died right after it.
    Nor do workers of a program that declares the queue without an order, while another adds its jobs in order:
    they look as well, as long as there are such jobs.

    Args:
        keyspace: the queue.
    """

    def __init__(self, keyspace: QueueKeyspace) -> None:
        self._keyspace = keyspace
        self._order = keyed.order_at(keyspace)
        self._place: Place = FIRST
        self._is_noted = False
        name = keyspace.queue
        self._periodic = Periodic(self.look, _INTERVAL_MS / 1000, name=f"repair of keys of {name}")
        self._comparing = Periodic(self.compare, _COMPARING, name=f"declarations of keys of {name}")

    async def start(self) -> None:
        """Look now, and then in every interval."""
        if self._order is not None:
            await self._periodic.start()
        # A queue in order has no shards.
        if not self._keyspace.shard:
            await self._comparing.start()

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        await self._comparing.stop()
        await self._periodic.stop()

    async def compare(self) -> None:
        """Look whether jobs are there that another program added by another declaration."""
        if self._order is not None:
            if (job := await key_use.find_unlined(self._keyspace)) is not None:
                repeats.warn(
                    _log, f"job {job.id} of queue {self._keyspace.queue}, of key {job.key!r}", _BESIDE_ITS_LINE
                )
        elif await key_use.has_lines(self._keyspace):
            if not self._is_noted:
                self._is_noted = True
                _log.warning("%s", _not_declared(self._keyspace.queue))
            await self._periodic.start()
        else:
            await self._periodic.stop()

    async def look(self) -> None:
        """Look through a part of the keys, unless another worker did in this interval."""
        for _ in range(_PARTS):
            # A look comes a little earlier than the key of the one before it expires.
            place = await keyed.repair(
                self._keyspace, self._order, self._place, interval_ms=_INTERVAL_MS * 9 // 10
            )
            self._place = place or FIRST
            if place is None:
                return


def _not_declared(queue: str) -> str:
    return (
        f"queue {queue} has jobs in order per key, which another program declares; this program does not, and its "
        f"workers let the next job of a key go up to {_INTERVAL_MS} ms after the one before it: declare the queue "
        "in the same way in both"
    )

"""Lets one job of each coalescing key wait, also where Node's workers put another one back."""

from __future__ import annotations

import logging

from stockyard._aio.service import Periodic
from stockyard._store.jobs import coalescing
from stockyard._store.keyspace import QueueKeyspace

_log = logging.getLogger(__name__)
_EVERY = 1.0


class CoalescedJobRepairer:
    """Looks every second at the coalescing keys that are due: those of running jobs, which may come to wait again.

    Stockyard's own workers look at a key in the write that puts its job back. Node's workers do not: of two jobs
    that wait under one key then, the older yields to the newer one within a second, or with the key's next add.

    Args:
        keyspace: the queue.
    """

    def __init__(self, keyspace: QueueKeyspace) -> None:
        self._keyspace = keyspace
        self._periodic = Periodic(self.look, _EVERY, name=f"coalesced jobs of {keyspace.queue}")

    async def start(self) -> None:
        """Look now, and then every second; a queue that does not coalesce needs none of it."""
        if coalescing.coalesces(self._keyspace):
            await self._periodic.start()

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        await self._periodic.stop()

    async def look(self) -> None:
        """Look once."""
        if yielded := await coalescing.settle_due(self._keyspace):
            _log.info("%d jobs of queue %s yielded to newer ones of their keys", yielded, self._keyspace.queue)

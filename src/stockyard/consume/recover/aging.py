"""Lets jobs of a queue with priority aging age that came to wait by BullMQ's own score."""

from __future__ import annotations

from stockyard._aio.service import Periodic
from stockyard._store.jobs import arranging
from stockyard._store.keyspace import QueueKeyspace

_SECONDS = 1.0
"""Between two looks: for so long, a retry or a promoted job stands behind the jobs that age."""


class PriorityAging:
    """Looks each second for jobs that wait by BullMQ's own score, which says nothing of when they came.

    The scripts that retry and promote jobs write it, and so do Node's workers.

    Args:
        keyspace: the queue.
        aging_ms: what one step of priority costs; 0 looks for nothing.
    """

    def __init__(self, keyspace: QueueKeyspace, *, aging_ms: int) -> None:
        self._keyspace = keyspace
        self._aging_ms = aging_ms
        self._periodic = Periodic(self.look, _SECONDS, name=f"priority aging of {keyspace.queue}")

    async def start(self) -> None:
        """Look now, and then each second."""
        if self._aging_ms:
            await self._periodic.start()

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        await self._periodic.stop()

    async def look(self) -> None:
        """Look once, through all that there are."""
        while await arranging.regrade(self._keyspace, self._aging_ms) == arranging.MOST_REGRADED:
            pass

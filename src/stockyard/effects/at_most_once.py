"""Jobs that run at most once: one that lost its run before it began an effect is unknown, and not run again."""

from __future__ import annotations

import asyncio

from stockyard._store import effects as store
from stockyard._store.keyspace import QueueKeyspace
from stockyard.errors import ServerError
from stockyard.model.effect_errors import OutcomeUnknown

LOST = "OutcomeUnknown: the job lost its worker before it began an effect: what it did is unknown"
HANDED_BACK = "OutcomeUnknown: its worker stopped before the job began an effect: what it did is unknown"


class AtMostOnce:
    """Says which jobs of a queue must not run again.

    A job that was lost is made unknown by the recovery of stalled jobs. A Node worker that recovers one knows
    nothing of this, so that a worker asks again before it starts a job that has stalled.

    Args:
        keyspace: the queue.
    """

    def __init__(self, keyspace: QueueKeyspace) -> None:
        self._keyspace = keyspace

    async def reason_to_fail(self, job_id: str) -> str | None:
        """Return why a job that has stalled must not run again, or None if it may."""
        return LOST if await store.lose_job(self._keyspace, job_id, LOST, at_start=True) else None

    async def error_of_broken(self, job_id: str) -> OutcomeUnknown | None:
        """Return what a job fails with whose run was broken off, or None if it may run again."""
        try:
            is_lost = await store.lose_job(self._keyspace, job_id, HANDED_BACK, at_start=False)
        except (ServerError, asyncio.CancelledError):
            # Whether it began an effect is not known either; the run ends with this in any case.
            is_lost = True
        return OutcomeUnknown(HANDED_BACK.partition(": ")[2]) if is_lost else None

"""Decides about jobs whose time is over: one that has begun an effect is not dropped, for its gate knows more."""

from __future__ import annotations

import asyncio
from typing import Any

from stockyard._store import effects
from stockyard._store.keyspace import QueueKeyspace
from stockyard.consume.run.expiry import has_run_before, within_expiry
from stockyard.effects.at_most_once import AtMostOnce
from stockyard.errors import ServerError, UnrecoverableError
from stockyard.model.job import Job
from stockyard.model.outcome import Expired, Outcome, Requeued


class Expiries:
    """The expiry of the jobs of one queue.

    Args:
        keyspace: the queue.
        once: says which jobs must not run again, where they run at most once. None elsewhere.
    """

    def __init__(self, keyspace: QueueKeyspace, once: AtMostOnce | None) -> None:
        self._keyspace = keyspace
        self._once = once

    async def at_start(self, job: Job[Any], expired: Expired) -> Outcome | UnrecoverableError | None:
        """Return how a job ends whose time is over as it starts.

        Args:
            job: the job.
            expired: how it ends if it has begun no effect, as ``expired_at_start`` says.

        Returns:
            None if it runs: its effects say what becomes of it, and it begins no new one. An error with which it
            fails: it was lost where jobs run at most once, so that nobody knows what it did.
        """
        if not has_run_before(job):
            return expired
        try:
            if await effects.has_begun(self._keyspace, job.id):
                return None
            if self._once is not None and job.stalled_count:
                reason = await self._once.reason_to_fail(job.id)
                if reason is not None:
                    return UnrecoverableError(reason)
        except ServerError:
            return Requeued()
        return expired

    async def at_end(self, job: Job[Any], outcome: Outcome, now: int) -> Outcome:
        """Return how a run ends: expired if its job is to run again only after its expiry, else as given."""
        ended = within_expiry(job, outcome, now)
        if ended is outcome:
            return outcome
        try:
            return outcome if await effects.has_begun(self._keyspace, job.id) else ended
        except (ServerError, asyncio.CancelledError):
            # Asked again before the next run.
            return outcome

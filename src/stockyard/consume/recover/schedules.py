"""Restores the next run of a schedule when it has gone missing, and logs it."""

from __future__ import annotations

import logging

from stockyard._aio.service import Periodic
from stockyard._store.jobs import scheduling
from stockyard._store.keyspace import QueueKeyspace
from stockyard.consume.hooks import Hooks, call_hook
from stockyard.errors import ServerError, StockyardError

_log = logging.getLogger(__name__)


class ScheduleRepairer:
    """Looks for schedules that nothing will continue; over all workers of a queue at most once per interval.

    A worker that died at the wrong moment, a peer that does not advance schedules, or a run that was deleted by
    hand leaves a schedule that never comes again. Its next run is made when two looks in a row found it missing,
    so that nothing is made beside what a peer is just making.

    Args:
        keyspace: the queue.
        interval_ms: between two looks.
        hooks: called with each repair.
    """

    def __init__(self, keyspace: QueueKeyspace, *, interval_ms: int, hooks: Hooks) -> None:
        self._keyspace = keyspace
        self._interval_ms = interval_ms
        self._hooks = hooks
        self._periodic = Periodic(self.look, interval_ms / 1000, name=f"repair of schedules of {keyspace.queue}")

    async def start(self) -> None:
        """Look now, and then in every interval."""
        await self._periodic.start()

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        await self._periodic.stop()

    async def look(self) -> None:
        """Look once, unless another worker did in this interval."""
        for schedule_id in await scheduling.find_missing(self._keyspace, interval_ms=self._interval_ms):
            try:
                run = await scheduling.restore(self._keyspace, schedule_id)
            except ServerError:
                raise
            except StockyardError as error:
                _log.error("schedule %r of queue %s has no next run: %s", schedule_id, self._keyspace.queue, error)
                continue
            if run is not None:
                _log.error(
                    "schedule %r of queue %s had lost its next run; restored: %s",
                    schedule_id,
                    self._keyspace.queue,
                    run,
                )
                await call_hook(self._hooks.schedule_repaired, schedule_id, run)

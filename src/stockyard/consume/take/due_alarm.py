"""Wakes a worker at the moment when a job may leave its queue, which its blocking wait alone meets 100 ms late."""

from __future__ import annotations

import asyncio
import contextlib

from stockyard._store.keyspace import QueueKeyspace
from stockyard.errors import ServerError

_FARTHEST = 10.0
"""Seconds: what is due later is looked at again before."""


class DueAlarm:
    """Sets the marker of a queue at a time: servers look for waits that have run out ten times a second.

    Args:
        keyspace: the queue.
    """

    def __init__(self, keyspace: QueueKeyspace) -> None:
        self._keyspace = keyspace
        self._timer: asyncio.TimerHandle | None = None
        self._waking: asyncio.Task[None] | None = None

    def set(self, due: int) -> None:
        """Set the alarm, in place of an earlier one; 0 is none.

        Args:
            due: ms since the epoch, by the queue's clock.
        """
        self._clear()
        seconds = (due - self._keyspace.clock()) / 1000
        if 0 < seconds < _FARTHEST:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._fire)

    async def stop(self) -> None:
        """Clear the alarm; stopping twice is fine."""
        self._clear()
        if self._waking is not None:
            self._waking.cancel()
            await asyncio.gather(self._waking, return_exceptions=True)

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._waking = asyncio.create_task(self._wake())

    async def _wake(self) -> None:
        from stockyard._store.jobs.admitting import wake_worker

        # Without it the wait ends by itself, a little later.
        with contextlib.suppress(ServerError):
            await wake_worker(self._keyspace)

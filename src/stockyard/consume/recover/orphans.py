"""Hands back the jobs of dead workers where no worker is left to do it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from stockyard._aio.repeats import repeats
from stockyard.errors import ServerError

_log = logging.getLogger(__name__)

SETTLED = 3.0
"""Seconds that a lease must have been gone: a live worker needs a moment to renew it at a server that is back."""


class Recoverer(Protocol):
    """Looks once for the jobs of dead workers of one queue."""

    async def hand_back(self) -> list[str]:
        """Hand them back and return their ids."""
        ...


class Recoverers:
    """Looks for the jobs of dead workers in each shard of a queue.

    Args:
        shards: gives one for each.
    """

    def __init__(self, shards: Callable[[], Sequence[Recoverer]]) -> None:
        self._shards = shards

    async def hand_back(self) -> list[str]:
        """Hand them back and return their ids."""
        found = [await shard.hand_back() for shard in self._shards()]
        return [job_id for job_ids in found for job_id in job_ids]


class OrphanRecoverer:
    """Recovers the jobs of queues whose longest run has no lease, as one more worker of theirs would.

    ``note`` gives it what was seen of the queues; it acts in a task of its own, so that a slow recovery
    holds up no reader.

    Args:
        recoverers: by name of the queue; they share the turns of the queue's workers.
    """

    def __init__(self, recoverers: Mapping[str, Recoverer]) -> None:
        self._recoverers = recoverers
        self._orphaned: dict[str, float] = {}
        self._due: set[str] = set()
        self._is_due = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def note(self, orphaned: Mapping[str, bool], *, now: float) -> None:
        """Take note of how the queues are.

        Args:
            orphaned: by name of the queue, whether its longest run has no lease.
            now: in seconds, by a clock that is never put back.
        """
        names = [name for name, is_orphaned in orphaned.items() if is_orphaned]
        self._orphaned = {name: self._orphaned.get(name, now) for name in names}
        self._due = {
            name for name, since in self._orphaned.items() if now - since >= SETTLED and name in self._recoverers
        }
        if self._due:
            self._is_due.set()

    def forget(self) -> None:
        """Start counting from zero: the server was away, so nobody could renew a lease."""
        self._orphaned.clear()
        self._due.clear()

    async def recover(self) -> None:
        """Hand back the jobs of the queues where that is due."""
        while self._due:
            await self._recoverers[self._due.pop()].hand_back()

    async def start(self) -> None:
        """Recover in the background from now on."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="orphan recoverer")

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            try:
                await self.recover()
            except ServerError as error:
                self.forget()
                repeats.warn(_log, "recovery of dead workers' jobs", error)
            except Exception:
                _log.exception("recovery of dead workers' jobs")

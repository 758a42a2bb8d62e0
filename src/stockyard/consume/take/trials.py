"""Takes the trial of a queue's open circuit breaker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from stockyard._aio.repeats import repeats
from stockyard._store import breaking
from stockyard._store.jobs.finishing import TakeRequest
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import StartedRecord
from stockyard.consume.run.breaker_guard import BreakerGuard
from stockyard.errors import ServerError

_log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks, unless a trial is due before."""
_PAUSE = 0.01
"""Between two looks at least."""


class TrialTaker:
    """Looks whether the breaker is open and a trial due, and takes one job then; one of all workers gets it.

    Args:
        keyspace: the queue.
        guard: knows how the trial ends.
        take_defaults: what the worker asks for in every call.
        worker_id: begins every token.
        start: starts jobs, given with the token that they are held under.
        room: says how many more jobs the worker could run.
    """

    def __init__(
        self,
        keyspace: QueueKeyspace,
        *,
        guard: BreakerGuard,
        take_defaults: TakeRequest,
        worker_id: str,
        start: Callable[[list[StartedRecord], str], None],
        room: Callable[[], int],
    ) -> None:
        self._keyspace = keyspace
        self._guard = guard
        self._take_defaults = take_defaults
        self._worker_id = worker_id
        self._start = start
        self._room = room
        self._looks = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._task = self._task or asyncio.create_task(self._run(), name=f"trials of {self._keyspace.queue}")

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            wait = LOOK_SECONDS
            try:
                if self._room() > 0:
                    self._guard.has_unproved.clear()
                    wait = min(wait, await self._look() / 1000)
            except ServerError as error:
                # A trial whose reply was lost is recovered as any job whose worker is gone.
                repeats.warn(_log, f"circuit breaker of queue {self._keyspace.queue}", error)
            await asyncio.sleep(_PAUSE)
            if not self._guard.has_unproved.is_set():
                await self._pause(wait - _PAUSE)

    async def _pause(self, seconds: float) -> None:
        """Wait, unless a trial ends before that did not run: stale jobs must not keep the queue halted."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._guard.has_unproved.wait()

    async def _look(self) -> int:
        """Look once; return in how many ms to look again."""
        await self._guard.give_up_unproved()
        self._looks += 1
        token = f"{self._worker_id}:trial{self._looks}"
        wait, reply = await breaking.take_trial(self._keyspace, self._take_defaults.of(1, token))
        for record in reply.records:
            _log.warning("the circuit breaker of queue %s tries job %s", self._keyspace.queue, record.shown_id)
            self._guard.begin_trial(record.shown_id)
        if reply.records:
            self._start(reply.records, token)
        return wait

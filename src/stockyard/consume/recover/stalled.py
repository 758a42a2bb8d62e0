"""Hands back the jobs of workers that died or froze."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from stockyard._aio.repeats import repeats
from stockyard._aio.service import Periodic
from stockyard._store.jobs import leasing
from stockyard._store.keyspace import QueueKeyspace
from stockyard.consume.hooks import Hooks, call_hook
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.errors import ReplyLost, ServerError, ServerUnavailable

_log = logging.getLogger(__name__)
_RECONNECTION = 2.0
"""Seconds that a lease child may need to reach a server that is back."""


class StalledJobRecoverer:
    """Looks for jobs whose lease ran out; over all workers of a queue at most once per interval.

    A job is handed back by the second look after its last renewal, so that with an interval of half a lease it
    runs again within one and a half leases.

    Args:
        keyspace: the queue.
        interval_ms: between two looks.
        max_stalled: how often a job may lose its worker before it is failed.
        at_most_once: a job that has begun no effect is failed at once, as unknown. Defaults to False.
        hooks: called with each job.
        metrics: counts them.
        dead: what the tokens of processes begin with that are known to be dead: their jobs go back at the first
            look. Defaults to none.
    """

    def __init__(
        self,
        keyspace: QueueKeyspace,
        *,
        interval_ms: int,
        max_stalled: int,
        hooks: Hooks,
        metrics: WorkerMetrics,
        at_most_once: bool = False,
        dead: Sequence[str] = (),
    ) -> None:
        self._keyspace = keyspace
        self._interval_ms = interval_ms
        self._max_stalled = max_stalled
        self._at_most_once = at_most_once
        self._hooks = hooks
        self._metrics = metrics
        self._dead = list(dead)
        self._was_away = False
        self._periodic = Periodic(self.sweep, interval_ms / 1000, name=f"stalled jobs of {keyspace.queue}")

    async def start(self) -> None:
        """Look now, and then in every interval."""
        await self._periodic.start()

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        await self._periodic.stop()

    async def sweep(self) -> None:
        """Look once; while the server is away, and right after that, nobody could renew a lease."""
        if not await self._is_there():
            return
        if self._was_away:
            self._was_away = False
            await self._wait_for_renewals()
            if not await self._is_there() or self._was_away:
                return
        try:
            await self._abandon()
            await self.hand_back()
        except (ServerUnavailable, ReplyLost) as error:
            # Of a cluster, the node of this queue alone may be away.
            repeats.warn(_log, f"stalled jobs of queue {self._keyspace.queue}", error)
            self._was_away = True

    async def _wait_for_renewals(self) -> None:
        await asyncio.sleep(2 * self._interval_ms / 1000 + _RECONNECTION)

    async def _abandon(self) -> None:
        while self._dead:
            returned = await leasing.abandon(
                self._keyspace,
                self._dead[-1],
                max_stalled=self._max_stalled,
                at_most_once=self._at_most_once,
            )
            await self._note(returned)
            self._dead.pop()

    async def hand_back(self) -> list[str]:
        """Look once; return the ids of the jobs that were handed back."""
        recovered = await leasing.recover_stalled(
            self._keyspace,
            interval_ms=self._interval_ms,
            max_stalled=self._max_stalled,
            at_most_once=self._at_most_once,
        )
        await self._note(recovered)
        return recovered

    async def _note(self, recovered: list[str]) -> None:
        self._metrics.stalled += len(recovered)
        for job_id in recovered:
            _log.warning("job %s of queue %s lost its worker; handed back", job_id, self._keyspace.queue)
            await call_hook(self._hooks.stalled, job_id)

    async def _is_there(self) -> bool:
        """Say whether the server answers as a primary, and note when it did not, or not at once."""
        began = time.monotonic()
        server = self._keyspace.server
        try:
            await server.measure_clock(tries=1)
            # At a replica nobody could renew a lease either.
            is_there = await server.leads_to_primary()
        except ServerError as error:
            repeats.warn(_log, f"stalled jobs of queue {self._keyspace.queue}", error)
            is_there = False
        if not is_there or time.monotonic() - began > self._interval_ms / 1000:
            self._was_away = True
        elif warning := server.clock.warning(str(server.address)):
            _log.warning("%s", warning)
        return is_there

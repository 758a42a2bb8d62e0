"""Runs the jobs in hand, each in a task of its own, under a lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from stockyard import telemetry
from stockyard._logging import current_job
from stockyard._store.jobs.rows import CorruptRecord, started_job
from stockyard._store.records import StartedRecord
from stockyard.consume.run.active_runs import ActiveRuns, Run
from stockyard.consume.run.ending import Ending
from stockyard.consume.run.handler_call import HandlerCall
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.errors import ConfigError
from stockyard.leases.keeper import LeaseKeeper
from stockyard.model.clock import Clock
from stockyard.model.job import Job, JobPort
from stockyard.model.outcome import Outcome


class Runner:
    """Starts the jobs of one worker and passes their ends on.

    Args:
        queue: its name.
        call: calls handlers.
        active: the runs in hand.
        jobs: the port of the jobs.
        keeper: keeps their leases.
        metrics: counts starts.
        lock_ms: length of a lease.
        clock: gives the time.
        on_ended: called with the end of a run, to be written.
        on_lost: called when a run ended with nothing to write, because its lease passed to another worker.
    """

    def __init__(
        self,
        queue: str,
        *,
        call: HandlerCall,
        active: ActiveRuns,
        jobs: JobPort,
        keeper: LeaseKeeper,
        metrics: WorkerMetrics,
        lock_ms: int,
        clock: Clock,
        on_ended: Callable[[Ending], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._call = call
        self._active = active
        self._jobs = jobs
        self._keeper = keeper
        self._metrics = metrics
        self._lock_ms = lock_ms
        self._clock = clock
        self._on_ended = on_ended
        self._on_lost = on_lost

    def start(self, records: Sequence[StartedRecord], token: str) -> None:
        """Start these jobs, held under one token."""
        loop = asyncio.get_running_loop()
        now = self._clock()
        call, find, counters_of = self._call, self._call.find, self._metrics.of
        hold = self._keeper.holder(self._queue, token, self._lock_ms)
        for record in records:
            try:
                job: Job[Any] = started_job(record, self._queue, self._jobs, now)
                slot = hold(job.id, job.attempts_started)
            except (CorruptRecord, ConfigError) as error:
                self._on_ended(Ending(record.id, token, call.unread(str(error)), record.start_number))
                continue
            counters = counters_of(job.name)
            if job.attempts_started == 1:
                counters.started(now - job.timestamp - job.options.delay_ms)
            run = Run(job, find, token=token, slot=slot, counters=counters)
            self._active.add(run)
            deferred = record.deferred_failure
            is_doubtful = deferred is not None or call.limits_starts
            reason_to_fail = call.reason_to_fail(job, deferred) if is_doubtful else None
            run.task = loop.create_task(self._run(run, reason_to_fail))
        self._keeper.hint(self._lock_ms)

    async def _run(self, run: Run, reason_to_fail: str | None) -> None:
        outcome: Outcome | None
        current_job.set(run.job)
        began = perf_counter()
        try:
            tracer = telemetry.tracer
            if tracer is None:
                outcome = await self._call.outcome(run, reason_to_fail)
            else:
                with tracer.span(telemetry.RUN, self._traced(run)) as span:
                    outcome = await self._call.outcome(run, reason_to_fail)
                    span.note(outcome=type(outcome).__name__)
        except asyncio.CancelledError:
            outcome = None if run.is_lost else self._call.broken_off(run)
        if reason_to_fail is None:
            run.seconds = perf_counter() - (run.began or began)
        self._active.remove(run)
        if outcome is None:
            self._keeper.release(run.slot)
            self._on_lost()
        else:
            self._on_ended(Ending(run.job.id, run.token, outcome, run.job.attempts_started, run))

    def _traced(self, run: Run) -> dict[str, object]:
        job = run.job
        return {"queue": self._queue, "job": job.id, "name": job.name, "attempt": job.attempts_made + 1}

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
from stockyard.consume.run.breaker_guard import BreakerGuard, Call
from stockyard.consume.run.ending import Ending
from stockyard.consume.run.expiries import Expiries
from stockyard.consume.run.expiry import expired_at_start, has_run_before
from stockyard.consume.run.handler_call import HandlerCall
from stockyard.consume.run.held_jobs import HeldJobs
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.errors import ConfigError, UnrecoverableError
from stockyard.leases.keeper import LeaseKeeper
from stockyard.model.clock import Clock
from stockyard.model.job import Job, JobPort
from stockyard.model.options import JobOptions
from stockyard.model.outcome import Expired, Failed, Outcome, Retried


class Runner:
    """Starts the jobs of one worker and passes their ends on.

    Args:
        queue: its name.
        call: calls handlers.
        held: hands back jobs that are halted.
        expiries: ends jobs whose time is over.
        breaker: the circuit breaker of the queue, or None.
        active: the runs in hand.
        jobs: the port of the jobs.
        keeper: keeps their leases.
        lease_queue: the queue of those leases: in keys, the name of a shard is another than that of its queue.
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
        held: HeldJobs,
        expiries: Expiries,
        breaker: BreakerGuard | None,
        active: ActiveRuns,
        jobs: JobPort,
        keeper: LeaseKeeper,
        lease_queue: str,
        metrics: WorkerMetrics,
        lock_ms: int,
        clock: Clock,
        on_ended: Callable[[Ending], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._call = call
        self._held = held
        self._halts = held.halts
        self._expiries = expiries
        self._outcome: Call = call.outcome if breaker is None else breaker.around(call.outcome)
        self._active = active
        self._jobs = jobs
        self._keeper = keeper
        self._lease_queue = lease_queue
        self._metrics = metrics
        self._lock_ms = lock_ms
        self._clock = clock
        self._on_ended = on_ended
        self._on_lost = on_lost

    def start(self, records: Sequence[StartedRecord], token: str, moment: int = 0) -> None:
        """Start these jobs, held under one token; one that has expired ends instead.

        Args:
            records: the jobs.
            token: of their leases.
            moment: when the server started them, ms since the epoch. Defaults to now, as far as it is known here.
        """
        loop = asyncio.get_running_loop()
        now = self._clock()
        call, find, counters_of = self._call, self._call.find, self._metrics.of
        hold = self._keeper.holder(self._lease_queue, token, self._lock_ms)
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
            deferred = record.deferred_failure
            options = job.options
            may_expire = options.expires_in_ms is not None or options.expires_at_ms is not None
            expired = expired_at_start(job, moment or now) if may_expire else None
            if expired is not None and deferred is None and not has_run_before(job):
                self._on_ended(Ending(job.id, token, expired, job.attempts_started, run))
                continue
            self._active.add(run)
            is_doubtful = deferred is not None or call.limits_starts
            reason_to_fail = call.reason_to_fail(job, deferred) if is_doubtful else None
            run.task = loop.create_task(self._run(run, reason_to_fail, expired, may_expire))
        self._keeper.hint(self._lock_ms)

    async def _run(self, run: Run, reason_to_fail: str | None, expired: Expired | None, may_expire: bool) -> None:
        outcome: Outcome | None = None
        has_run = reason_to_fail is None
        current_job.set(run.job)
        began = perf_counter()
        try:
            if has_run and (expired is not None or self._halts.by_queue):
                outcome = await self._outcome_unrun(run, expired)
                has_run = outcome is None
            if outcome is None:
                tracer = telemetry.tracer
                if tracer is None or not tracer.traces_run(_carrier_of(run.job.options)):
                    outcome = await self._outcome(run, reason_to_fail)
                else:
                    with tracer.span(telemetry.RUN, _traced(run.job)) as span:
                        run.trace = span.context
                        outcome = await self._outcome(run, reason_to_fail)
                        span.note(outcome=type(outcome).__name__, error=_error_of(run, outcome))
        except asyncio.CancelledError:
            outcome = None if run.is_lost else await self._call.handed_back(run)
        if has_run:
            run.seconds = perf_counter() - (run.began or began)
        if may_expire and outcome is not None:
            outcome = await self._expiries.at_end(run.job, outcome, self._clock())
        self._active.remove(run)
        if outcome is None:
            self._keeper.release(run.slot)
            self._on_lost()
        else:
            self._on_ended(Ending(run.job.id, run.token, outcome, run.job.attempts_started, run))

    async def _outcome_unrun(self, run: Run, expired: Expired | None) -> Outcome | None:
        """Return how a run ends that has expired or is held, or None if it is to begin."""
        if expired is not None:
            ended = await self._expiries.at_start(run.job, expired)
            outcome = self._call.failed(run, ended) if isinstance(ended, UnrecoverableError) else ended
            if outcome is not None:
                return outcome
        return await self._held.outcome(run.job)


def _traced(job: Job[Any]) -> dict[str, object]:
    """Return what the span of a run says of its job, and the context that the job carries."""
    options = job.options
    return {
        "queue": job.queue,
        "job": job.id,
        "name": job.name,
        "attempt": job.attempts_made + 1,
        "delay_ms": options.delay_ms,
        "correlation": job.correlation_id if job.has_lineage else None,
        "causation": options.causation_id,
        "carrier": _carrier_of(options),
    }


def _carrier_of(options: JobOptions) -> str | None:
    """Return the context that a job carries for its runs."""
    return None if options.omit_context else options.telemetry


def _error_of(run: Run, outcome: Outcome) -> BaseException | None:
    """Return what a failed attempt ended with."""
    is_failed = isinstance(outcome, Failed | Retried) and isinstance(run.result, BaseException)
    return run.result if is_failed else None

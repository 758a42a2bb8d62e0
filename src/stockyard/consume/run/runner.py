"""Runs the jobs in hand: finds the handler, runs it where it belongs, and turns its end into an outcome."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from time import perf_counter
from typing import Any

from stockyard._logging import current_job
from stockyard._store.finishing import EndedRun
from stockyard._store.records import StartedRecord
from stockyard._store.rows import CorruptRecord, started_job
from stockyard.consume.executors.not_started import NotStarted
from stockyard.consume.executors.results import CANCELLED_ITSELF, read_result, result_text
from stockyard.consume.finish.finisher import Finisher
from stockyard.consume.hooks import Hooks, tell
from stockyard.consume.run.announcer import Announcer
from stockyard.consume.run.error_outcome import is_infrastructure, outcome_of_error, refusal
from stockyard.consume.run.execution import Execution
from stockyard.consume.run.job_run import Run
from stockyard.consume.worker_metrics import OTHER, WorkerMetrics
from stockyard.errors import ConfigError, HandlerError, JobCancelled, StockyardError, UnrecoverableError
from stockyard.leases.keeper import LeaseKeeper
from stockyard.leases.table import Lease
from stockyard.model.backoff import BackoffStrategy
from stockyard.model.clock import Clock
from stockyard.model.handler import Handler
from stockyard.model.job import Job, JobPort
from stockyard.model.outcome import Completed, Failed, HandedBack, Outcome, Postponed
from stockyard.model.retention import KeepOption
from stockyard.model.retry_rule import RetryRule

_log = logging.getLogger(__name__)

CallNext = Callable[[Job[Any]], Awaitable[Any]]
Middleware = Callable[[Job[Any], CallNext], Awaitable[Any]]
"""``async def middleware(job, call_next)``: runs around every job, and returns what ``call_next(job)`` returns."""

STARTED_TOO_OFTEN = "job started more than allowable limit"
"""Why a job is failed that started more often than its worker allows, in the words that every peer writes."""


class Runner:
    """The running jobs of one worker.

    Args:
        queue: its name.
        find: gives the handler of a job's name; raises HandlerError.
        execution: runs handlers in threads and child processes.
        jobs: the port of the jobs.
        keeper: keeps their leases.
        finisher: takes over ended runs.
        middleware: around every job, the first outermost.
        hooks: told of starts and ends.
        meter: counts them.
        strategies: custom backoff by name.
        retries: which exceptions are retried, where the handler says nothing; None is all.
        lock_ms: length of a lease.
        max_started: starts of a job after which it is failed; 0 is no limit.
        keep: retention of completed and of failed jobs, where the job says nothing.
        clock, rng: the time and the jitter.
    """

    def __init__(
        self,
        queue: str,
        *,
        find: Callable[[str], Handler],
        execution: Execution,
        jobs: JobPort,
        keeper: LeaseKeeper,
        finisher: Finisher,
        middleware: Sequence[Middleware],
        hooks: Hooks,
        meter: WorkerMetrics,
        strategies: Mapping[str, BackoffStrategy],
        retries: RetryRule | None,
        lock_ms: int,
        max_started: int,
        keep: tuple[KeepOption | None, KeepOption | None],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._queue = queue
        self._find = find
        self._execution = execution
        self._jobs = jobs
        self._keeper = keeper
        self._finisher = finisher
        self._middleware = tuple(middleware)
        self._hooks = hooks
        self._announcer = Announcer(queue, hooks=hooks)
        self._announces_completed = hooks.completed is not None
        self._shows_data = bool(self._middleware) or hooks.started is not None
        self._meter = meter
        self._strategies = strategies
        self._retries = retries
        self._lock_ms = lock_ms
        self._max_started = max_started
        self._keep_completed, self._keep_failed = keep
        self._clock = clock
        self._rng = rng
        self._runs: dict[tuple[str, str], Run] = {}

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def lost_places(self) -> int:
        """How many jobs fewer it can run at a time, because threads hang that were given up."""
        return self._execution.lost

    def start(self, records: Sequence[StartedRecord], token: str) -> None:
        """Start these jobs, held under one token."""
        loop = asyncio.get_running_loop()
        now = self._clock()
        for record in records:
            try:
                job: Job[Any] = started_job(record, self._queue, self._jobs, now)
                slot = self._keeper.hold(Lease(self._queue, job.id, token, job.attempts_started, self._lock_ms))
            except (CorruptRecord, ConfigError) as error:
                reason = str(error)
                failed = Failed(reason, (reason,), 0, self._keep_failed)
                self._finisher.put(EndedRun(record.id, token, failed, record.start_number))
                continue
            counters = self._meter.of(job.name)
            if job.attempts_started == 1:
                counters.started(now - job.timestamp - job.options.delay_ms)
            run = Run(job, token, slot, counters, self._find)
            self._runs[job.id, token] = run
            deferred = record.deferred_failure
            doom = self._reason_to_fail(job, deferred) if deferred is not None or self._max_started else None
            run.task = loop.create_task(self._run(run, doom))
        self._keeper.hint(self._lock_ms)

    def lose(self, lease: Lease) -> None:
        """Break off a run whose lease passed to somebody else."""
        run = self._runs.get((lease.job_id, lease.token))
        if run is not None and run.task is not None:
            run.is_lost = True
            run.task.cancel("its lease passed to another worker")

    def running_ids(self) -> list[str]:
        """Return the ids of the jobs that run."""
        return [run.job.id for run in self._runs.values()]

    def cancel(self, job_id: str, reason: str) -> None:
        """Break off the run of a job, which fails without a retry; nothing happens if it does not run here."""
        for run in self._runs.values():
            if run.job.id == job_id and run.task is not None and run.cancelled is None:
                run.cancelled = reason
                run.task.cancel(f"the job was {reason}")

    async def wait_idle(self) -> None:
        """Return when no job runs."""
        while self._runs:
            await asyncio.wait([run.task for run in self._runs.values() if run.task is not None])

    async def hand_back_all(self) -> None:
        """Break off every run; each goes back to where it waited, without having used up an attempt."""
        for run in list(self._runs.values()):
            if run.task is not None:
                run.task.cancel("the worker stops, and its grace is over; the job was handed back")
        await self.wait_idle()

    def settled(self, ended: EndedRun) -> None:
        """Let go of a lease once the server has said its last word of the run: nobody else may begin it before."""
        if ended.run is not None:
            self._keeper.release(ended.run.slot)

    def written(self, ended: EndedRun, moment: int) -> None:
        """Count an end that is written, and announce it.

        Args:
            ended: the run.
            moment: when it was written, ms since the epoch.
        """
        run: Run | None = ended.run
        if run is None:
            self._meter.of(OTHER).ended(ended.outcome, None)
            self._announcer.ended_unread(ended.job_id, ended.outcome)
            return
        run.counters.ended(ended.outcome, run.seconds)
        if self._announces_completed or type(ended.outcome) is not Completed:
            self._announcer.ended(run, ended.outcome, moment)

    def refused(self, ended: EndedRun, code: int) -> Outcome:
        """Return how a run ends whose job's children do not let it end as it wanted."""
        error = refusal(ended.job_id, ended.outcome, code)
        if ended.run is None:
            return Failed(str(error), (str(error),), 0, self._keep_failed)
        return self._failed(ended.run, error)

    async def wait_told(self) -> None:
        """Return when every hook has returned."""
        await self._announcer.wait()

    async def _run(self, run: Run, doom: str | None) -> None:
        outcome: Outcome | None
        current_job.set(run.job)
        began = perf_counter()
        try:
            outcome = await self._outcome(run, doom)
        except asyncio.CancelledError:
            outcome = None if run.is_lost else self._broken_off(run)
        if doom is None:
            run.seconds = perf_counter() - began
        del self._runs[run.job.id, run.token]
        if outcome is None:
            self._keeper.release(run.slot)
            self._finisher.skip()
        else:
            self._finisher.put(EndedRun(run.job.id, run.token, outcome, run.job.attempts_started, run))

    async def _outcome(self, run: Run, doom: str | None) -> Outcome:
        job = run.job
        try:
            if doom is not None:
                return self._failed(run, UnrecoverableError(doom))
            if self._shows_data:
                run.expose()
                if self._hooks.started is not None:
                    await tell(self._hooks.started, job)
            handler = run.handler
            if handler is None:
                handler = run.handler = self._find(job.name)
            if self._middleware or handler.executor == "process":
                value = await self._through_middleware(run, job, handler, 0)
            else:
                # The same as the last step of _through_middleware: one coroutine less for most jobs.
                run.data_for(handler, job)
                value = await self._execution.run(job, handler)
            text = "null" if value is None else result_text(value, of=job.name, declared=handler.result).decode()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if run.is_lost or (task is not None and task.cancelling()):
                raise
            # The handler cancelled itself: that is a failure of the attempt like any other.
            return self._failed(run, StockyardError(CANCELLED_ITSELF))
        except BaseException as error:  # native extensions raise their panics as such
            return self._failed(run, error)
        run.result = value
        keep = job.options.remove_on_complete
        return Completed(text, self._keep_completed if keep is None else keep)

    async def _through_middleware(self, run: Run, job: Job[Any], handler: Handler, depth: int) -> Any:
        if depth == len(self._middleware):
            data = run.data_for(handler, job)
            if handler.executor != "process":
                return await self._execution.run(job, handler)
            result = await self._execution.run_in_child(job, handler, data, on_data=run.updated)
            return read_result(result, handler) if depth else result

        async def call_next(job: Job[Any]) -> Any:
            return await self._through_middleware(run, job, handler, depth + 1)

        return await self._middleware[depth](job, call_next)

    def _broken_off(self, run: Run) -> Outcome:
        return HandedBack() if run.cancelled is None else self._failed(run, JobCancelled(run.cancelled))

    def _reason_to_fail(self, job: Job[Any], deferred: bytes | None) -> str | None:
        if deferred is not None:
            return deferred.decode(errors="replace")
        if 0 < self._max_started < job.attempts_started:
            return STARTED_TOO_OFTEN
        return None

    def _failed(self, run: Run, error: BaseException) -> Outcome:
        if run.cancelled is not None and not isinstance(error, JobCancelled):
            # What the handler raised while it was broken off earns no other attempt.
            cancelled = JobCancelled(run.cancelled)
            cancelled.__cause__ = error
            error = cancelled
        run.result = error
        outcome = outcome_of_error(
            run.job,
            error,
            keep=self._keep_failed,
            strategies=self._strategies,
            retries=self._retries_of(run.job.name),
            rng=self._rng,
            max_started=self._max_started,
        )
        if isinstance(outcome, Postponed) and is_infrastructure(error):
            _log.warning(
                "job %s of queue %s runs again in %.1f s, with no attempt used up: %s (%s: %s)",
                run.job.id,
                self._queue,
                outcome.delay_ms / 1000,
                "its handler could not be started"
                if isinstance(error, NotStarted)
                else "the server did not do what its handler asked for",
                type(error).__name__,
                error,
            )
        return outcome

    def _retries_of(self, name: str) -> RetryRule | None:
        try:
            rule = self._find(name).retries
        except HandlerError:
            return None
        return self._retries if rule is None else rule

    def tell_later(self, telling: Coroutine[Any, Any, None]) -> None:
        """Run a hook's call in the background; ``wait_told`` waits for it."""
        self._announcer.call(telling)


def unknown_name(queue: str, name: str, known: Sequence[str]) -> HandlerError:
    """Return the error of a job whose name nobody serves here."""
    return HandlerError(
        f"no handler for job name {name!r} in this worker of queue {queue!r}; it serves "
        f"{', '.join(known) or 'none'}"
    )

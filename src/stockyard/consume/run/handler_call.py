"""Calls the handler of one job and turns whatever comes of that into an outcome; needs no server and no lease."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from stockyard.consume.executors.not_started import NotStarted
from stockyard.consume.executors.results import (
    CANCELLED_ITSELF,
    awaited,
    is_awaitable,
    read_result,
    result_text,
)
from stockyard.consume.hooks import Hooks, call_hook
from stockyard.consume.run.error_outcome import AskedRetry, is_infrastructure, outcome_of_error
from stockyard.consume.run.execution import Execution
from stockyard.consume.run.invocation import Invocation
from stockyard.effects.at_most_once import AtMostOnce
from stockyard.errors import HandlerError, JobCancelled, StockyardError, UnrecoverableError
from stockyard.model.backoff_delay import BackoffStrategy
from stockyard.model.effect_errors import EffectRecorded
from stockyard.model.handler import Handler
from stockyard.model.job import Job
from stockyard.model.outcome import Completed, Delayed, Failed, Outcome, Requeued
from stockyard.model.retention import KeepOption
from stockyard.model.retry_rule import RetryRule

_log = logging.getLogger(__name__)

CallNext = Callable[[Job[Any]], Awaitable[Any]]
Middleware = Callable[[Job[Any], CallNext], Awaitable[Any]]
"""``async def middleware(job, call_next)``: runs around every job, and returns what ``call_next(job)`` returns."""

STARTED_TOO_OFTEN = "job started more than allowable limit"
"""Why a job is failed that started more often than its worker allows, in the words that every peer writes."""


class HandlerCall:
    """Finds a job's handler, decodes the payload, runs the handler in its middleware, and decides the outcome.

    Args:
        queue: name of the queue, for the log.
        find: gives the handler of a job's name; raises HandlerError.
        execution: runs handlers in the loop, in threads and in child processes, within the job's timeout.
        middleware: around every job, the first outermost. Defaults to none.
        hooks: called at starts. Defaults to none.
        strategies: custom backoff by name. Defaults to none.
        retries: which exceptions are retried, where the handler says nothing. Defaults to all.
        max_started: starts of a job after which it is failed. Defaults to 0, no limit.
        keep: retention of completed and of failed jobs, where the job says nothing. Defaults to all.
        rng: source of jitter. Defaults to a new one.
        once: says which jobs must not run again, where they run at most once. Defaults to None: any may.

    Attributes:
        find: as given.
        limits_starts: whether a job may have started too often.
        once: as given.
    """

    def __init__(
        self,
        queue: str,
        *,
        find: Callable[[str], Handler],
        execution: Execution,
        middleware: Sequence[Middleware] = (),
        hooks: Hooks | None = None,
        strategies: Mapping[str, BackoffStrategy] | None = None,
        retries: RetryRule | None = None,
        max_started: int = 0,
        keep: tuple[KeepOption | None, KeepOption | None] = (None, None),
        rng: random.Random | None = None,
        once: AtMostOnce | None = None,
    ) -> None:
        self._queue = queue
        self.find = find
        self._execution = execution
        self._middleware = tuple(middleware)
        self._on_started = None if hooks is None else hooks.started
        self._shows_data = bool(self._middleware) or self._on_started is not None
        self._strategies = strategies or {}
        self._retries = retries
        self._max_started = max_started
        self.limits_starts: bool = max_started > 0
        self._keep_completed, self._keep_failed = keep
        self._rng = rng or random.Random()
        self.once: AtMostOnce | None = once

    def reason_to_fail(self, job: Job[Any], deferred: bytes | None) -> str | None:
        """Return why a job is to fail without being run, or None.

        Args:
            job: the job.
            deferred: the reason that its record holds, if any.
        """
        if deferred is not None:
            return deferred.decode(errors="replace")
        if 0 < self._max_started < job.attempts_started:
            return STARTED_TOO_OFTEN
        return None

    async def outcome(self, invocation: Invocation, reason_to_fail: str | None = None) -> Outcome:
        """Call the handler and return how that ended.

        Args:
            invocation: the job.
            reason_to_fail: fails the job without calling its handler. Defaults to None, which calls it.

        Raises:
            asyncio.CancelledError: the task was cancelled; see ``broken_off``.
        """
        job = invocation.job
        try:
            if self.once is not None and job.stalled_count and reason_to_fail is None:
                reason_to_fail = await self.once.reason_to_fail(job.id)
            if reason_to_fail is not None:
                return self.failed(invocation, UnrecoverableError(reason_to_fail))
            if self._shows_data:
                invocation.expose()
                if self._on_started is not None:
                    await call_hook(self._on_started, job)
            handler = invocation.handler
            if handler is None:
                handler = invocation.handler = self.find(job.name)
            if self._middleware or handler.executor == "process" or handler.batch:
                value = await self._through_middleware(invocation, job, handler, 0)
            else:
                invocation.data_for(handler, job)
                value = await self._execution.run(job, handler)
                if value is not None and is_awaitable(value):
                    value = await awaited(value)
            text = "null" if value is None else result_text(value, of=job.name, declared=handler.result).decode()
        except EffectRecorded as recorded:
            # An earlier run did what this one was about to do.
            value, text = recorded.value, recorded.text
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if invocation.is_lost or (task is not None and task.cancelling()):
                raise
            # The handler cancelled itself: that is a failure of the attempt like any other.
            return await self._failed(invocation, StockyardError(CANCELLED_ITSELF))
        except BaseException as error:  # native extensions raise their panics as such
            return await self._failed(invocation, error)
        invocation.result = value
        keep = job.options.remove_on_complete
        return Completed(text, self._keep_completed if keep is None else keep)

    def broken_off(self, invocation: Invocation) -> Outcome:
        """Return how a call ends whose task was cancelled: failed if its job was cancelled, else requeued."""
        if invocation.cancelled is None:
            return Requeued()
        return self.failed(invocation, JobCancelled(invocation.cancelled))

    async def handed_back(self, invocation: Invocation) -> Outcome:
        """Return how a broken call ends; where jobs run at most once, failed if it began no effect."""
        outcome = self.broken_off(invocation)
        if self.once is None or not isinstance(outcome, Requeued):
            return outcome
        error = await self.once.error_of_broken(invocation.job.id)
        return outcome if error is None else await self._failed(invocation, error)

    def failed(self, invocation: Invocation, error: BaseException) -> Outcome:
        """Return how a call ends that raised: another attempt, or failed, or where the job goes.

        A backoff strategy that is a coroutine function is not asked: the delay of the backoff counts.
        """
        outcome = self._decided(invocation, error)
        return outcome.outcome_unasked() if isinstance(outcome, AskedRetry) else outcome

    async def _failed(self, invocation: Invocation, error: BaseException) -> Outcome:
        outcome = self._decided(invocation, error)
        return await outcome.outcome() if isinstance(outcome, AskedRetry) else outcome

    def _decided(self, invocation: Invocation, error: BaseException) -> Outcome | AskedRetry:
        if invocation.cancelled is not None and not isinstance(error, JobCancelled):
            # What the handler raised while it was broken off earns no other attempt.
            cancelled = JobCancelled(invocation.cancelled)
            cancelled.__cause__ = error
            error = cancelled
        invocation.result = error
        if self._strategies:
            # A strategy is user code, which sees the payload as the handler declares it.
            invocation.expose()
        outcome = outcome_of_error(
            invocation.job,
            error,
            keep=self._keep_failed,
            strategies=self._strategies,
            retries=self._retries_of(invocation.job.name),
            rng=self._rng,
            max_started=self._max_started,
        )
        if isinstance(outcome, Delayed) and is_infrastructure(error):
            _log.warning(
                "job %s of queue %s runs again in %.1f s, with no attempt used up: %s (%s: %s)",
                invocation.job.id,
                self._queue,
                outcome.delay_ms / 1000,
                "its handler could not be started"
                if isinstance(error, NotStarted)
                else "the server did not do what its handler asked for",
                type(error).__name__,
                error,
            )
        return outcome

    def unread(self, reason: str) -> Failed:
        """Return how a job ends that cannot be run, because its record cannot be read."""
        return Failed(reason, (reason,), 0, self._keep_failed)

    async def _through_middleware(
        self, invocation: Invocation, job: Job[Any], handler: Handler, depth: int
    ) -> Any:
        if depth == len(self._middleware):
            data = invocation.data_for(handler, job)
            if handler.batch:
                return await self._execution.run_in_batch(job, handler, on_begin=invocation.begin)
            if handler.executor != "process":
                return await awaited(self._execution.run(job, handler))
            result = await self._execution.run_in_child(
                job, handler, data, on_data=invocation.updated, on_begin=invocation.begin
            )
            return read_result(result, handler) if depth else result

        async def call_next(job: Job[Any]) -> Any:
            return await self._through_middleware(invocation, job, handler, depth + 1)

        return await self._middleware[depth](job, call_next)

    def _retries_of(self, name: str) -> RetryRule | None:
        try:
            rule = self.find(name).retries
        except HandlerError:
            return None
        return self._retries if rule is None else rule

"""Decides what follows a run that did not return: another attempt, when, or none; or where its job goes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from stockyard.consume.executors.not_started import NotStarted
from stockyard.consume.run.expiry import EXPIRED
from stockyard.errors import (
    Delay,
    HandlerError,
    JobCancelled,
    JobExpired,
    PayloadError,
    RateLimited,
    RemoteHandlerError,
    RunSignal,
    ServerError,
    ServerRefused,
    StockyardError,
    UnrecoverableError,
    WaitForChildren,
)
from stockyard.model.backoff_delay import FAIL_NOW, AskedDelay, BackoffStrategy, next_delay
from stockyard.model.duration import milliseconds
from stockyard.model.effect_errors import EffectHalted
from stockyard.model.job import Job
from stockyard.model.outcome import Delayed, Expired, Failed, Outcome, Requeued, Retried, WaitingChildren
from stockyard.model.printing import message_of, storable, traceback_of
from stockyard.model.retention import KeepOption
from stockyard.model.retry_rule import RetryRule

_FINAL = (UnrecoverableError, PayloadError, HandlerError, JobCancelled)
_OWN_WORDS = ("UnrecoverableError", "StockyardError", "JobCancelled")
_LONGEST_TRACE = 20_000
_FIRST_PAUSE_MS = 1000
_LONGEST_PAUSE_MS = 30_000
_LONGEST_REASON = 20_000


def outcome_of_error(
    job: Job[Any],
    error: BaseException,
    *,
    keep: KeepOption | None,
    strategies: Mapping[str, BackoffStrategy],
    rng: random.Random,
    retries: RetryRule | None = None,
    max_started: int = 0,
) -> Outcome | AskedRetry:
    """Return how a run that raised ended; with a strategy that is a coroutine function, what is to be awaited.

    Args:
        job: the job.
        error: what its run raised.
        keep: retention of failed jobs where the job says nothing.
        strategies: custom backoff strategies by name.
        rng: source of jitter.
        retries: which exceptions are retried; None is all.
        max_started: starts after which no other follows; 0 is no such limit.
    """
    if isinstance(error, RunSignal):
        try:
            return _outcome_of_signal(error, job, rng)
        except Exception as wrong:  # it is no duration, or a signal of the user's own is half made
            error = wrong
    options = job.options
    if is_infrastructure(error) and not 0 < max_started <= job.attempts_started:
        return Delayed(pause_ms(job, rng))
    reason = reason_of(error)
    traces = _newest((*job.stacktrace, trace_of(error)), options.stack_trace_limit)
    is_last = job.attempt >= options.attempts or 0 < max_started <= job.attempts_started
    if not is_last and not isinstance(error, _FINAL) and (retries is None or retries.allows(error)):
        try:
            delay = next_delay(options.backoff, job.attempt, error, job=job, strategies=strategies, rng=rng)
        except Exception as broken:  # the strategy is the user's code
            return _retry_or_failure(job, reason, traces, broken, keep=keep)
        if not isinstance(delay, int):
            return AskedRetry(job, reason, traces, delay, keep)
        return _retry_or_failure(job, reason, traces, delay, keep=keep)
    return _retry_or_failure(job, reason, traces, FAIL_NOW, keep=keep)


class AskedRetry(NamedTuple):
    """A failed attempt whose wait a coroutine of the program's own is still to say.

    Attributes:
        job: the job.
        reason, traces: what its record is to hold.
        answer: gives the wait.
        keep: retention of failed jobs where the job says nothing.
    """

    job: Job[Any]
    reason: str
    traces: tuple[str, ...]
    answer: AskedDelay
    keep: KeepOption | None

    async def outcome(self) -> Outcome:
        """Await the strategy, and return how the run ended."""
        try:
            delay: int | Exception = await self.answer
        except Exception as broken:
            delay = broken
        return _retry_or_failure(self.job, self.reason, self.traces, delay, keep=self.keep)

    def outcome_unasked(self) -> Outcome:
        """Return how the run ended, by the delay of the backoff, where nothing can be awaited."""
        self.answer.close()
        backoff = self.job.options.backoff
        delay = 0 if backoff is None else backoff.delay_ms
        return _retry_or_failure(self.job, self.reason, self.traces, delay, keep=self.keep)


def _retry_or_failure(
    job: Job[Any], reason: str, traces: tuple[str, ...], delay: int | Exception, *, keep: KeepOption | None
) -> Outcome:
    """Return another attempt after a wait; or the failure of a job without one, or whose strategy is broken."""
    options = job.options
    if isinstance(delay, Exception):
        why = message_of(delay) if isinstance(delay, StockyardError) else reason_of(delay)
        reason, delay = f"{reason} (no retry: {why})", FAIL_NOW
    if delay != FAIL_NOW:
        return Retried(reason, traces, delay, options.lifo)
    chosen = options.remove_on_fail if options.remove_on_fail is not None else keep
    return Failed(reason, traces, options.attempts, chosen)


def is_infrastructure(error: BaseException) -> bool:
    """Say whether a run failed for its server or its machine, not for its job.

    The job then runs again, with no attempt used up: ``NotStarted`` says that its handler was not even entered.

    A refusal for the type of a key is none of these: it would come again however long one waits.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(is_infrastructure(exception) for exception in error.exceptions)
    is_for_ever = isinstance(error, ServerRefused) and str(error).startswith("WRONGTYPE")
    return isinstance(error, ServerError | NotStarted) and not is_for_ever


def pause_ms(job: Job[Any], rng: random.Random) -> int:
    """1 s after the first start that ended so, twice as long after each further one, 30 s at most; jittered."""
    in_a_row = max(job.attempts_started - job.attempts_made, 1)
    pause = min(_FIRST_PAUSE_MS << min(in_a_row - 1, 5), _LONGEST_PAUSE_MS)
    return round(pause * rng.uniform(0.75, 1.0))


def _outcome_of_signal(signal: RunSignal, job: Job[Any], rng: random.Random) -> Outcome:
    match signal:
        case Delay():
            return Delayed(milliseconds(signal.delay, option="delay"))
        case JobExpired():
            return Expired(f"{EXPIRED}: {signal}")
        case RateLimited():
            return Requeued(milliseconds(signal.duration, option="duration"))
        case WaitForChildren():
            return WaitingChildren()
        case EffectHalted() if signal.key is not None:
            # Its queue goes on, and would start it again at once.
            return Delayed(pause_ms(job, rng))
        case _:
            return Requeued()


def _newest(traces: tuple[str, ...], limit: int | None) -> tuple[str, ...]:
    return traces if limit is None else traces[-limit:] if limit > 0 else ()


def trace_of(error: BaseException) -> str:
    """Return the error's traceback as text, its end kept when it is very long."""
    remote = getattr(error, "traceback", None)
    text = remote if isinstance(remote, str) else traceback_of(error)
    return storable(text[-_LONGEST_TRACE:])


def reason_of(error: BaseException) -> str:
    """Return the failure reason that is stored: ``KeyError: 'nope'``, the class and the message.

    An ``UnrecoverableError``, a ``JobCancelled`` and a plain ``StockyardError`` are their message alone: with the
    first a handler gives a reason in its own words, with the second the canceller does, and the third says what
    every peer writes in the same words.
    """
    text, name = _bounded(message_of(error)), class_of(error)
    if not text or name in _OWN_WORDS:
        return text or name
    return f"{name}: {text}"


def _bounded(reason: str) -> str:
    """Cut a very long reason: it stands in the job, in its parent and in the event stream."""
    left_out = len(reason) - _LONGEST_REASON
    return reason if left_out <= 0 else f"{reason[:_LONGEST_REASON]}… ({left_out:,} more characters)"


def class_of(error: BaseException) -> str:
    """Return the name of the error's class; of what a child process raised, the name it has there."""
    remote = error if isinstance(error, RemoteHandlerError) else error.__cause__
    if isinstance(remote, RemoteHandlerError):
        return remote.type_name.rpartition(".")[2]
    return storable(type(error).__name__)

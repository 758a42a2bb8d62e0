"""Decides what follows a failed run: another attempt, when, or none."""

from __future__ import annotations

import random
import traceback
from collections.abc import Mapping
from typing import Any

from stockyard.errors import HandlerError, PayloadError, UnrecoverableError
from stockyard.model.backoff import FAIL_NOW, BackoffStrategy, next_delay
from stockyard.model.job import Job
from stockyard.model.outcome import Failed, Retried
from stockyard.model.retention import KeepOption

_FINAL = (UnrecoverableError, PayloadError, HandlerError)
_LONGEST_TRACE = 20_000


def decide(
    job: Job[Any],
    error: BaseException,
    *,
    keep: KeepOption | None,
    strategies: Mapping[str, BackoffStrategy],
    rng: random.Random,
) -> Failed | Retried:
    """Return how a run that raised ended.

    Args:
        job: the job.
        error: what its run raised.
        keep: retention of failed jobs where the job says nothing.
        strategies: custom backoff strategies by name.
        rng: source of jitter.
    """
    reason = _reason_of(error)
    trace = (*job.stacktrace, trace_of(error))
    options = job.options
    if job.attempt < options.attempts and not isinstance(error, _FINAL):
        try:
            delay = next_delay(options.backoff, job.attempt, error, strategies=strategies, rng=rng)
        except Exception as broken:  # the strategy is the user's code
            reason, delay = f"{reason} (no retry: {_reason_of(broken)})", FAIL_NOW
        if delay != FAIL_NOW:
            return Retried(reason, trace, delay, options.lifo)
    chosen = options.remove_on_fail if options.remove_on_fail is not None else keep
    return Failed(reason, trace, options.attempts, chosen)


def trace_of(error: BaseException) -> str:
    """Return the error's traceback as text, its end kept when it is very long."""
    remote = getattr(error, "traceback", None)
    text = remote if isinstance(remote, str) else "".join(traceback.format_exception(error))
    return _storable(text[-_LONGEST_TRACE:])


def _reason_of(error: BaseException) -> str:
    try:
        return _storable(str(error)) or type(error).__name__
    except Exception:
        return type(error).__name__


def _storable(text: str) -> str:
    """The text without lone surrogates, which file names may bring along and UTF-8 cannot hold."""
    return text.encode(errors="replace").decode()

"""Which jobs are not run because they were to run before (pure)."""

from __future__ import annotations

from typing import Any

from stockyard.model.job import Job
from stockyard.model.outcome import Delayed, Expired, Outcome, Retried

EXPIRED = "expired"
"""Begins the reason of every job that has expired."""


def expired_at_start(job: Job[Any], now: int) -> Expired | None:
    """Return the end of a job that must not start any more, or None.

    Args:
        job: the job, whose start was just granted, or is about to be.
        now: the server's time in ms.
    """
    expires_at = job.options.expiry(job.timestamp)
    if expires_at is None or now < expires_at:
        return None
    return Expired(f"{EXPIRED}: it was not started {'again ' if has_run_before(job) else ''}in time")


def has_run_before(job: Job[Any]) -> bool:
    """Say whether a job that starts had started before: then it may have begun an effect."""
    return job.attempts_started > 1


def within_expiry(job: Job[Any], outcome: Outcome, now: int) -> Outcome:
    """Return how a run ends: expired if its job is to run again only after its expiry, else as given."""
    expires_at = job.options.expiry(job.timestamp)
    if expires_at is None or not isinstance(outcome, Retried | Delayed) or now + outcome.delay_ms < expires_at:
        return outcome
    if isinstance(outcome, Retried):
        return Expired(f"{EXPIRED} before its next attempt; the last one failed: {outcome.reason}")
    return Expired(f"{EXPIRED} before it was to run again")


def start_moment(moment: int, clock: int, elapsed: float) -> int:
    """Return the server's time at the start of jobs, whatever this machine's clock was set to meanwhile.

    Args:
        moment: when the server granted the starts, in ms.
        clock: the server's time as it is known here.
        elapsed: seconds since the server was asked, by the steady clock.
    """
    return min(max(moment, clock), moment + round(elapsed * 1000))

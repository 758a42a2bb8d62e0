"""Which jobs are not run because they were to run before."""

from typing import Any, cast

import pytest

from stockyard.consume.run.expiry import expired_at_start, start_moment, within_expiry
from stockyard.model.job import Job, JobPort
from stockyard.model.options import JobOptions
from stockyard.model.outcome import Completed, Delayed, Expired, Failed, Outcome, Requeued, Retried

AT = 1000


def job(**options: Any) -> Job[Any]:
    return Job("1", "x", None, JobOptions(**options), "q", AT, cast("JobPort", None))


@pytest.mark.parametrize(
    ("options", "now", "is_expired"),
    [
        ({}, 10**9, False),
        ({"expires_in_ms": 500}, 1499, False),
        ({"expires_in_ms": 500}, 1500, True),
        ({"expires_in_ms": 500, "delay_ms": 200}, 1699, False),
        ({"expires_in_ms": 500, "delay_ms": 200}, 1700, True),
        ({"expires_at_ms": 1200}, 1199, False),
        ({"expires_at_ms": 1200}, 1200, True),
    ],
)
def test_a_job_expires_at_its_moment(options: dict[str, int], now: int, is_expired: bool) -> None:
    assert (expired_at_start(job(**options), now) is not None) == is_expired


@pytest.mark.parametrize(
    ("outcome", "is_expired"),
    [
        (Retried("no", (), 499, False), False),
        (Retried("no", (), 500, False), True),
        (Delayed(499), False),
        (Delayed(500), True),
        (Requeued(), False),
        (Completed("1", None), False),
        (Failed("no", (), 1, None), False),
    ],
)
def test_another_run_after_the_expiry_is_none(outcome: Outcome, is_expired: bool) -> None:
    found = within_expiry(job(expires_in_ms=1000), outcome, 1500)
    assert isinstance(found, Expired) == is_expired
    assert is_expired or found is outcome
    assert within_expiry(job(), outcome, 10**9) is outcome


@pytest.mark.parametrize(
    ("clock", "elapsed", "moment"),
    [(1000, 0.0, 1000), (1003, 0.01, 1003), (900, 0.01, 1000), (61_000, 0.01, 1010), (6000, 5.0, 6000)],
)
def test_a_clock_that_was_set_does_not_expire_jobs(clock: int, elapsed: float, moment: int) -> None:
    assert start_moment(1000, clock, elapsed) == moment

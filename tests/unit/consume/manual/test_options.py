"""What may be said of jobs that are taken by hand."""

import pytest

from stockyard import InvalidOption
from stockyard.consume.manual.options import manual_spec


def test_options_are_checked_as_those_of_a_worker() -> None:
    spec = manual_spec(name=None, lock="1m", metrics_minutes=0)
    assert (spec.name, spec.lock_ms, spec.metrics_minutes) == (None, 60_000, 0)


def test_what_is_left_out_follows_the_queue() -> None:
    spec = manual_spec()
    assert spec.lock_ms is None
    assert spec.name


def test_options_of_workers_that_run_handlers_are_refused() -> None:
    with pytest.raises(InvalidOption, match="option of a manual worker 'concurrency'"):
        manual_spec(concurrency=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("lock", ["10ms", "soon"])
def test_a_lease_is_long_enough(lock: str) -> None:
    with pytest.raises(InvalidOption, match="lock"):
        manual_spec(lock=lock)

"""What a worker concludes from the server's answers."""

import pytest

from stockyard.consume.take.demand import LIMITED_BLOCK, LONGEST_BLOCK, Demand


def test_a_full_answer_means_that_there_is_more() -> None:
    demand = Demand(drain_delay=5)
    assert not demand.note(10, 10, limited_ms=0, next_due=0, now=100)
    assert demand.has_plenty
    assert not demand.note(10, 9, limited_ms=0, next_due=0, now=100)
    assert not demand.has_plenty


def test_the_queue_is_drained_when_nothing_comes_after_plenty() -> None:
    demand = Demand(drain_delay=5)
    assert not demand.note(10, 0, limited_ms=0, next_due=0, now=100)
    demand.note(10, 10, limited_ms=0, next_due=0, now=100)
    assert demand.note(10, 0, limited_ms=0, next_due=0, now=100)
    assert not demand.note(10, 0, limited_ms=0, next_due=0, now=100)


def test_a_limited_queue_is_not_drained() -> None:
    demand = Demand(drain_delay=5)
    demand.note(10, 10, limited_ms=0, next_due=0, now=100)
    assert not demand.note(10, 0, limited_ms=500, next_due=0, now=100)


def test_a_limit_ends_by_itself_or_by_the_next_answer() -> None:
    demand = Demand(drain_delay=5)
    assert demand.limited_seconds(100) == 0
    demand.note(10, 0, limited_ms=2000, next_due=0, now=100)
    assert demand.limited_seconds(100.5) == 1.5
    assert demand.limited_seconds(103) < 0
    demand.note(10, 3, limited_ms=0, next_due=0, now=101)
    assert demand.limited_seconds(101) == 0


@pytest.mark.parametrize(
    ("drain_delay", "limited_ms", "next_due", "seconds"),
    [
        (5, 0, 0, 5),
        (60, 0, 0, LONGEST_BLOCK),
        (5, 0, 1_002_000, 2),
        (5, 0, 1_000_000, 0.001),
        (5, 0, 999_000, 0.001),
        (5, 0, 9_000_000, LONGEST_BLOCK),
        (5, 200, 0, 0.2),
        (5, 60_000, 0, LIMITED_BLOCK),
    ],
)
def test_it_waits_until_a_job_may_be_there(
    drain_delay: float, limited_ms: int, next_due: int, seconds: float
) -> None:
    demand = Demand(drain_delay=drain_delay)
    demand.note(10, 0, limited_ms=limited_ms, next_due=next_due, now=100)
    assert demand.block_seconds(100, 1_000_000) == pytest.approx(seconds)

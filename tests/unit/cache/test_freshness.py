"""How long entries last, and which reader refreshes one before its time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockyard.cache.freshness import is_due_early, jittered


@pytest.mark.parametrize(
    ("jitter", "random_number", "expected"),
    [(0.0, 0.7, 1000), (0.1, 0.0, 900), (0.1, 0.5, 1000), (0.1, 1.0, 1100), (0.5, 0.25, 750)],
)
def test_a_time_to_live_is_spread_around_what_was_declared(
    jitter: float, random_number: float, expected: int
) -> None:
    assert jittered(1000, jitter, random_number) == expected


def test_the_shortest_time_stays_a_time() -> None:
    assert jittered(1, 0.99, 0.0) == 1


@given(fresh=st.integers(1, 10**6), took=st.integers(0, 10**6), random_number=st.floats(1e-9, 1.0))
def test_who_refreshes_early_would_do_so_later_too(fresh: int, took: int, random_number: float) -> None:
    if is_due_early(fresh, took, 1.0, random_number):
        assert is_due_early(fresh - 1, took, 1.0, random_number)
        assert is_due_early(fresh, took + 1, 1.0, random_number)
        assert is_due_early(fresh, took, 2.0, random_number)
    assert not is_due_early(fresh, took, 0.0, random_number)


def test_the_share_of_those_who_refresh_is_that_of_the_paper() -> None:
    # One load's time before the end, a share of 1/e refreshes.
    early = sum(is_due_early(500, 500, 1.0, (each + 1) / 10_000) for each in range(10_000))
    assert early == 3678

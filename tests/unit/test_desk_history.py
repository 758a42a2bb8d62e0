"""The checker of a desk's history finds what it is there to find."""

import pytest

from tests.support.desk_history import Fact, Start, Waiting, disorder, stale, together, unended
from tests.support.rolling import most_used

FACTS = [
    Fact(1, "active", "1"),
    Fact(2, "completed", "1"),
    Fact(3, "active", "2"),
    Fact(4, "failed", "2"),
]


def test_a_sound_history_has_no_problems() -> None:
    assert disorder({"k": ["1", "2"], "other": ["3"]}, FACTS) == []
    assert unended(["1", "2"], FACTS) == []
    assert stale([Start("1", granted=10, expires=10)]) == []


@pytest.mark.parametrize("ids", [["2", "1"], ["3", "1"]], ids=["the wrong way round", "one that never ended"])
def test_a_job_that_is_taken_too_early_is_found(ids: list[str]) -> None:
    assert disorder({"k": ids}, FACTS) == [f"k: 1 was taken before {ids[0]} had ended"]


def test_a_job_that_is_taken_beside_the_one_before_is_found() -> None:
    beside = [Fact(1, "active", "1"), Fact(1, "active", "2"), Fact(2, "completed", "1"), Fact(2, "completed", "2")]
    assert disorder({"k": ["1", "2"]}, beside) == ["k: 2 was taken before 1 had ended"]
    assert disorder({"k": ["1"], "l": ["2"]}, beside) == []


def test_a_retry_may_be_taken_again_while_the_next_one_waits() -> None:
    again = [Fact(1, "active", "1"), Fact(2, "waiting", "1"), Fact(3, "active", "1"), *FACTS[1:]]
    assert disorder({"k": ["1", "2"]}, again) == []


def test_a_job_that_did_not_end_or_ended_twice_is_found() -> None:
    assert unended(["1", "3"], FACTS) == ["job 3 ended 0 times"]
    assert unended(["1"], [*FACTS, FACTS[1]]) == ["job 1 ended 2 times"]


def test_a_start_after_the_expiry_is_found() -> None:
    assert stale([Start("1", granted=12, expires=10)]) == ["job 1 was started 2 ms after it had expired"]


def test_a_window_that_is_too_full_is_found() -> None:
    assert most_used([(0, 2), (10, 1), (30, 1)], window=20) == 3
    assert most_used([(0, 2), (10, 1), (19, 1)], window=20) == 4


def test_jobs_of_one_key_that_wait_together_are_found() -> None:
    one, both = Waiting(0, "k", frozenset("1")), Waiting(5, "k", frozenset("12"))
    assert together([one], frozenset(), 10) == []
    assert together([one, both], frozenset(), 10) == ["k: 1 and 2 wait together, 0 ms"]
    assert together([both, Waiting(5, "l", frozenset("3"))], frozenset("1"), 10) == []


def test_a_job_that_was_put_back_has_a_while_to_yield() -> None:
    seen = [Waiting(at, "k", frozenset("12")) for at in (0, 10, 11)]
    assert together(seen, frozenset("1"), 10) == ["k: 1 and 2 wait together, 11 ms"]
    apart = [seen[0], Waiting(5, "k", frozenset("2")), Waiting(11, "k", frozenset("12"))]
    assert together(apart, frozenset("1"), 10) == []

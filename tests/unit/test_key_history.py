"""The checker of order by key notices each kind of disorder."""

import pytest

from tests.support.key_history import Step, disorder, steps_of


def history(text: str) -> list[Step]:
    """Steps of key ``A``: ``s0`` starts job 0, ``e0`` ends it."""
    return [
        Step(at, "A", int(word[1:]), "start" if word[0] == "s" else "end") for at, word in enumerate(text.split())
    ]


@pytest.mark.parametrize("text", ["s0 e0 s1 e1", "s0 e0 s0 e0 s1 e1"], ids=["in order", "with a retry"])
def test_order(text: str) -> None:
    assert disorder(history(text), 2) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("s0 s1 e1 e0", "1 began while 0 ran"),
        ("s0 e0 s2 e2", "2 began behind 0"),
        ("s0 e0 s1 e1 s0 e0", "0 began behind 1"),
        ("s0 e0", "0 was the last of 2"),
        ("s0 e0 s1", "1 never ended"),
        ("s0 e1 s1 e1", "1 ended while 0 ran"),
        ("s0 s0 e0 s1 e1", "1 runs began and did not end"),
    ],
)
def test_disorder(text: str, wrong: str) -> None:
    assert any(wrong in each for each in disorder(history(text), 2))


def test_a_run_of_a_killed_worker_may_begin_twice() -> None:
    assert disorder(history("s0 s0 e0 s1 e1"), 2, may_be_cut=1) == []


def test_a_line_that_was_cut_is_left_out() -> None:
    assert steps_of(["5 A 0 end\n", "3 A 0 start\n", "7 A 1"]) == [
        Step(3, "A", 0, "start"),
        Step(5, "A", 0, "end"),
    ]

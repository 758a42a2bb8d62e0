"""Turns that go round evenly."""

from collections import Counter

from stockyard.model.even_turns import EvenTurns


def test_single_turns_go_round() -> None:
    turns = EvenTurns(3, run=25, first=1)
    assert [turns.next(stays=False) for _ in range(7)] == [1, 2, 0, 1, 2, 0, 1]


def test_runs_are_bounded_and_go_round() -> None:
    turns = EvenTurns(3, run=2)
    assert [turns.next(stays=True) for _ in range(8)] == [0, 0, 1, 1, 2, 2, 0, 0]
    assert turns.part == 0


def test_bursts_of_any_length_are_even_in_the_end() -> None:
    turns = EvenTurns(4, run=25)
    given: Counter[int] = Counter()
    for burst in range(400):
        for at in range(30 + burst % 3):
            given[turns.next(stays=at > 0)] += 1
            assert max(given.values()) - min(given[part] for part in range(4)) <= 50
    assert max(given.values()) - min(given.values()) <= 25

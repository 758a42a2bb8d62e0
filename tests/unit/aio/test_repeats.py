"""Warnings that repeat, whichever loop they come from."""

import logging

import pytest

from stockyard._aio import repeats as module
from stockyard._aio.repeats import EVERY, Repeats

log = logging.getLogger("stockyard")


class Now:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    now = Now()
    monkeypatch.setattr(module, "time", now)
    return now


def test_one_reason_is_one_line_a_minute_for_all_who_try(caplog: pytest.LogCaptureFixture, now: Now) -> None:
    repeats = Repeats()
    with caplog.at_level(logging.WARNING, "stockyard"):
        for _ in range(3):
            repeats.warn(log, "worker of queue a", "away")
            repeats.warn(log, "worker of queue b", "away")
            now.seconds += 1
        repeats.warn(log, "worker of queue a", "full")
        now.seconds += EVERY
        repeats.warn(log, "worker of queue b", "away")
    assert [record.getMessage() for record in caplog.records] == [
        "worker of queue a: away",
        "worker of queue a: full",
        "worker of queue b: away (and 5 times more since the last message)",
    ]


def test_what_is_over_is_said_again_at_once(caplog: pytest.LogCaptureFixture, now: Now) -> None:
    repeats = Repeats()
    with caplog.at_level(logging.WARNING, "stockyard"):
        repeats.warn(log, "a", "away")
        repeats.over("away")
        repeats.warn(log, "a", "away")
    assert len(caplog.records) == 2


def test_reasons_are_forgotten_in_the_end(now: Now) -> None:
    repeats = Repeats()
    for number in range(2000):
        repeats.warn(log, "a", number)
    assert len(repeats._seen) <= 500

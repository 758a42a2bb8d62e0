"""The steps of a clock that a test moves."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from stockyard import InvalidOption
from stockyard.testing import ManualClock
from stockyard.testing.followers import Follower

START = 1_000_000


class Notes:
    """A follower that notes what is asked of it, and has something to do at some times."""

    def __init__(self, clock: ManualClock, name: str, *stops: int) -> None:
        self.clock = clock
        self.place = ("server", name)
        self.workers = [f"worker of {name}:"]
        self.stops = list(stops)
        self.seen: list[Any] = []

    def begin(self) -> None:
        self.seen.append("begin")

    async def next_stop(self) -> int | None:
        return min((stop for stop in self.stops if stop > self.clock.now), default=None)

    async def age_keys(self, milliseconds: int, workers: list[str]) -> None:
        self.seen.append(("age", milliseconds, sorted(workers), self.clock.now - START))

    async def time_passed(self, milliseconds: int) -> None:
        self.seen.append(("passed", milliseconds, self.clock.now - START))

    async def settle(self) -> None:
        self.seen.append("settle")


def followed(clock: ManualClock, name: str, *stops: int) -> Notes:
    notes = Notes(clock, name, *stops)
    clock.follow(cast("Follower", notes))
    return notes


async def test_keys_are_aged_before_the_clock_moves_and_waits_behind_that() -> None:
    clock = ManualClock(START)
    notes = followed(clock, "a")
    await clock.advance("2s")
    assert clock.now == START + 2_000
    look, settled = ("passed", 0, 0), "settle"
    assert notes.seen == [
        "begin",
        look,
        settled,
        ("age", 2_000, ["worker of a:"], 0),
        ("passed", 2_000, 2_000),
        settled,
    ]


async def test_time_stops_where_one_of_the_apps_has_something_to_do() -> None:
    clock = ManualClock(START)
    first = followed(clock, "a", START + 300, START + 5_000)
    second = followed(clock, "b", START + 700)
    await clock.advance("1s")
    passed = [("passed", 0, 0), ("passed", 300, 300), ("passed", 400, 700), ("passed", 300, 1_000)]
    for notes in (first, second):
        assert [each for each in notes.seen if each[0] == "passed"] == passed


async def test_keys_of_a_prefix_that_apps_share_are_aged_once() -> None:
    clock = ManualClock(START)
    first, second = followed(clock, "a"), followed(clock, "a")
    await clock.advance("1s")
    aged = [each for notes in (first, second) for each in notes.seen if each[0] == "age"]
    assert aged == [("age", 1_000, ["worker of a:", "worker of a:"], 0)]


def test_it_begins_where_it_is_set() -> None:
    assert ManualClock(datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)).now == 5_000
    with pytest.raises(InvalidOption, match="needs a time zone"):
        ManualClock(datetime(2026, 3, 2))

"""reading.position: how many jobs start before one that waits."""

from typing import Any

import pytest

from stockyard._store.jobs import positions
from stockyard._store.jobs.positions import position_of, read_position
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.snapshots import JobPosition
from stockyard.model.job import JobState
from tests.scripts.conftest import NOW, Keyspace, Sorted, record

MINUTE = 60_000


@pytest.mark.parametrize(
    ("place", "state", "ahead"),
    [
        ({"wait": ["2", "1", "3", "4"]}, "waiting", 2),
        ({"wait": ["2", "1"]}, "waiting", 0),
        ({"paused": ["1", "2"]}, "waiting", 1),
        ({"wait": ["2", "3"], "prioritized": Sorted({"4": 1, "1": 2, "5": 3})}, "prioritized", 3),
        ({"active": ["1"], "wait": ["2"]}, "active", None),
        *(
            ({name: Sorted({"1": 1}), "wait": ["2"]}, name, None)
            for name in ("completed", "failed", "waiting-children")
        ),
        ({}, "unknown", None),
    ],
)
async def test_its_place(
    keyspace: QueueKeyspace, keys: Keyspace, place: dict[str, Any], state: str, ahead: int | None
) -> None:
    keys.put({"1": record(), **place})
    before = keys.all()
    found = await read_position(keyspace, "1")
    assert (found.state, found.ahead, found.is_exact, found.jobs_per_second) == (state, ahead, True, None)
    assert found.starts_in == (0.0 if ahead == 0 else None)
    assert keys.all() == before


async def test_the_middle_of_a_long_line_is_not_searched(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "_MOST_SEARCHED", 3)
    keys.put({"wait": [str(number) for number in range(10)]})
    found = [await read_position(keyspace, str(number)) for number in range(10)]
    assert [each.ahead for each in found] == [9, 8, 7, 3, 3, 3, 3, 2, 1, 0]
    assert [each.is_exact for each in found] == [True] * 3 + [False] * 4 + [True] * 3


async def test_a_delayed_job_starts_when_it_is_due(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "delayed": Sorted({"1": (NOW + 90_000) * 4096 + 7})})
    assert await read_position(keyspace, "1") == JobPosition(JobState.DELAYED, None, True, False, None, 90.0)


async def test_a_paused_queue_starts_nothing(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "wait": ["1"], "meta": {"paused": "1"}})
    assert await read_position(keyspace, "1") == JobPosition(JobState.WAITING, 0, True, True, None, None)


async def test_what_ended_of_late_says_when_it_starts(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    begun = NOW // MINUTE * MINUTE
    keys.put(
        {
            "wait": ["3", "1", "2"],
            "metrics:completed": {"count": 1060, "prevTS": begun - MINUTE, "prevCount": 1000},
        }
    )
    keys.put(
        {"metrics:completed:data": ["300", "240"], "metrics:failed": {"count": 5, "prevTS": begun, "prevCount": 2}}
    )
    found = await read_position(keyspace, "1")
    seconds = (NOW - begun) / 1000 + 60 + 120
    assert found.jobs_per_second == pytest.approx((60 + 540 + 3) / seconds)
    assert found.starts_in == pytest.approx(1 / ((60 + 540 + 3) / seconds))


@pytest.mark.parametrize(("age", "rate"), [(4_999, None), (5_000, 2.0), (10_000, 1.0)])
def test_a_rate_is_made_of_five_seconds_at_least(age: int, rate: float | None) -> None:
    counts: tuple[int, int, int, list[bytes]] = (10, NOW // MINUTE * MINUTE, 0, [])
    now = NOW // MINUTE * MINUTE + age
    found = position_of((b"waiting", 4, 1, 0, 0, counts, (0, 0, 0, [])), now)
    assert found.jobs_per_second == rate
    assert found.starts_in == (None if rate is None else 4 / rate)


def test_a_line_that_does_not_move_has_no_time() -> None:
    found = position_of((b"waiting", 4, 1, 0, 0, (0, NOW - MINUTE, 0, []), (0, 0, 0, [])), NOW)
    assert (found.jobs_per_second, found.starts_in) == (0.0, None)


async def test_a_job_in_the_line_of_its_key(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"3": record(**{"stockyard.key": "A"}), ":key:A": Sorted({"2": 2, "3": 3}), "wait": ["1"]})
    assert await read_position(keyspace, "3") == JobPosition(JobState.WAITING, 2, False, False, None, None)

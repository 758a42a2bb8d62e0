"""scheduling.look: what is missing at two looks is found, what is only late or over is not."""

from typing import Any

import pytest

from stockyard._store.jobs import scheduling
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.test_scheduling_upsert import HOUR, RUN

COUNTED = '{"repeat":{"every":3600000,"count":2}}'


async def look(keyspace: QueueKeyspace) -> list[str]:
    """Look, as after the interval."""
    await keyspace.server.call("DEL", keyspace.keys["schedule_check"])
    return await scheduling.find_missing(keyspace, interval_ms=5000)


def schedule(**fields: Any) -> dict[str, Any]:
    stored = {"name": "work", "every": HOUR, "ic": 1, **fields}
    return {"repeat": Sorted({"s": NOW}), "repeat:s": {name: str(value) for name, value in stored.items()}}


FINISHED = {RUN: record(opts=COUNTED), "completed": Sorted({RUN: NOW})}
FAILED = {RUN: record(opts=COUNTED), "failed": Sorted({RUN: NOW})}


@pytest.mark.parametrize("run", [{}, FINISHED, FAILED])
async def test_the_second_look_finds_it(keyspace: QueueKeyspace, keys: Keyspace, run: Any) -> None:
    keys.put({**schedule(), **run})
    assert [await look(keyspace), await look(keyspace), await look(keyspace)] == [[], ["s"], ["s"]]


@pytest.mark.parametrize("place", ["active", "wait", "delayed"])
async def test_a_run_that_is_to_come_or_goes_on_is_not_missing(
    keyspace: QueueKeyspace, keys: Keyspace, place: str
) -> None:
    keys.put({**schedule(), RUN: record(), place: Sorted({RUN: 1}) if place == "delayed" else [RUN]})
    assert [await look(keyspace), await look(keyspace)] == [[], []]
    assert "missing" not in keys.get("repeat:s")


async def test_another_time_is_looked_at_anew(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(schedule())
    assert await look(keyspace) == []
    keys.put({"repeat": Sorted({"s": NOW + 1})})
    assert [await look(keyspace), await look(keyspace)] == [[], ["s"]]


@pytest.mark.parametrize(
    ("fields", "run"),
    [
        ({"limit": 2}, FINISHED),
        ({"limit": 3, "ic": 3}, {}),
        ({"endDate": NOW - 1}, {}),
    ],
)
async def test_what_is_over_is_not_missing(keyspace: QueueKeyspace, keys: Keyspace, fields: Any, run: Any) -> None:
    keys.put({**schedule(**fields), **run})
    assert [await look(keyspace), await look(keyspace)] == [[], []]
    assert "missing" not in keys.get("repeat:s")


async def test_what_bullmq_5_wrote_is_not_looked_at(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"repeat": Sorted({"s": NOW, "a:b::UTC:* * * * *": NOW}), "repeat:s": {"every": "1"}})
    assert [await look(keyspace), await look(keyspace)] == [[], []]


async def test_one_worker_looks_in_each_interval(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(schedule(missing=NOW))
    found = [await scheduling.find_missing(keyspace, interval_ms=5000) for _ in range(2)]
    assert found == [["s"], []]
    assert 4000 < keys.ttl("stalled-check:schedules") <= 5000


async def test_a_queue_without_schedules_is_not_touched(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await scheduling.find_missing(keyspace, interval_ms=5000) == []
    assert keys.all() == {}


async def test_all_of_many_are_looked_at(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    many = {f"s{at}": NOW + at for at in range(1200)}
    keys.put(
        {"repeat": Sorted(many)} | {f"repeat:{name}": {"ic": "1", "missing": str(at)} for name, at in many.items()}
    )
    assert await look(keyspace) == list(many)

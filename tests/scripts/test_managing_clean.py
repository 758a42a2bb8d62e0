"""managing.clean: jobs of one state go, by age and number."""

from typing import Any

import pytest
import redis

from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.families import Families

PLACES: dict[str, Any] = {
    "wait": ["3", "2", "1"],
    "active": ["3", "2", "1"],
    "prioritized": Sorted({"1": 1, "2": 2, "3": 3}),
    "delayed": Sorted({"1": 1, "2": 2, "3": 3}),
    "completed": Sorted({"1": NOW - 30, "2": NOW - 20, "3": NOW - 10}),
    "failed": Sorted({"1": NOW - 30, "2": NOW - 20, "3": NOW - 10}),
    "waiting-children": Sorted({"1": NOW - 30, "2": NOW - 20, "3": NOW - 10}),
}


async def clean(keyspace: QueueKeyspace, place: str, latest: int = NOW, limit: int = 0) -> list[str]:
    return await managing.clean(keyspace, "waiting" if place == "wait" else place, latest, limit)


def fill(keys: Keyspace, state: str) -> None:
    keys.put({str(number): record(timestamp=NOW - 40 + number * 10) for number in (1, 2, 3)})
    keys.put({"1:logs": ["a"], state: PLACES[state]})


@pytest.mark.parametrize("state", PLACES)
async def test_all_of_a_state_go(keyspace: QueueKeyspace, keys: Keyspace, state: str) -> None:
    fill(keys, state)
    assert await clean(keyspace, state) == ["1", "2", "3"]
    assert keys.all() == {"events": [["cleaned", "3"]]}


@pytest.mark.parametrize("state", PLACES)
async def test_the_young_stay(keyspace: QueueKeyspace, keys: Keyspace, state: str) -> None:
    fill(keys, state)
    assert await clean(keyspace, state, NOW - 20, 0) == ["1", "2"]
    left = PLACES[state]
    left = ["3"] if isinstance(left, list) else Sorted({"3": left["3"]})
    assert keys.all() == {"3": record(timestamp=NOW - 10), state: left, "events": [["cleaned", "2"]]}


@pytest.mark.parametrize("state", PLACES)
@pytest.mark.parametrize("limit", [1, 2, 3, 9])
async def test_so_many_go_at_most(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch, state: str, limit: int
) -> None:
    monkeypatch.setattr(managing, "CHUNK", 2)
    fill(keys, state)
    expected = ["1", "2", "3"][:limit]
    assert await clean(keyspace, state, NOW, limit) == expected
    assert sum(int(count) for _, count in keys.get("events")) == len(expected)


@pytest.mark.parametrize("state", ["wait", "delayed", "completed"])
async def test_more_than_one_call_looks_at(keyspace: QueueKeyspace, keys: Keyspace, state: str) -> None:
    ids = [str(number) for number in range(2500)]
    keys.put({state: ids[::-1] if state == "wait" else Sorted({each: int(each) for each in ids})})
    assert await clean(keyspace, state) == ids
    told = [int(count) for _, count in keys.get("events")]
    assert (sum(told), max(told)) == (2500, managing.CHUNK)
    assert keys.names() == ["events"]


@pytest.mark.parametrize("state", ["wait", "active", "delayed", "prioritized"])
async def test_those_behind_many_that_stay_are_found(keyspace: QueueKeyspace, keys: Keyspace, state: str) -> None:
    ids = [str(number) for number in range(2100)]
    keys.put({each: record(timestamp=NOW + 1) for each in ids[1:-1]})
    keys.put({state: Sorted({each: int(each) for each in ids}) if state in ("delayed", "prioritized") else ids})
    assert sorted(await clean(keyspace, state, NOW, 2)) == ["0", "2099"]


async def test_what_a_bullmq_5_set_aside_waits_too(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({each: record() for each in "1234"} | {"wait": ["2", "1"], "paused": ["4", "3"]})
    assert await managing.clean(keyspace, "waiting", NOW, 3) == ["1", "2", "3"]
    assert keys.all() == {"4": record(), "paused": ["4"], "events": [["cleaned", "2"], ["cleaned", "1"]]}


async def test_the_age_of_what_ran_counts_from_its_start(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(timestamp=1, processedOn=NOW), "2": record(timestamp=1, finishedOn=NOW, processedOn=1)})
    before = {"active": ["1", "2"], "delayed": Sorted({"1": 1}), "prioritized": Sorted({"1": 1})}
    keys.put(before)
    assert await clean(keyspace, "active", NOW - 1, 0) == []
    assert await clean(keyspace, "delayed", NOW - 1, 0) == []
    assert await clean(keyspace, "prioritized", NOW - 1, 0) == ["1"]


async def test_what_a_worker_runs_stays(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "2": record(), "1:lock": "w:1", "active": ["2", "1"]})
    assert await clean(keyspace, "active") == ["2"]
    assert keys.get("active") == ["1"]


@pytest.mark.parametrize(
    ("state", "place"),
    [("wait", ["{run}"]), ("delayed", Sorted({"{run}": 1})), ("prioritized", Sorted({"{run}": 1}))],
)
async def test_the_next_run_of_a_schedule_stays(
    keyspace: QueueKeyspace, keys: Keyspace, state: str, place: list[str] | Sorted
) -> None:
    run, past = f"repeat:s:{NOW}", "repeat:s:5"
    ids = [run, past]
    keys.put({each: record(rjk="s") for each in ids} | {"repeat": Sorted({"s": NOW})})
    keys.put({state: ids if state == "wait" else Sorted(dict.fromkeys(ids, 1.0))})
    assert await clean(keyspace, state) == [past]
    assert await managing.drain(keyspace, delayed=True) == 0
    assert keys.get(run) == record(rjk="s")


async def test_deduplication_ids_are_freed(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(deid="D"), "2": record(deid="E"), "de:D": "1", "dn:D": {"name": "x"}, "de:E": "9"})
    keys.put({"completed": Sorted({"1": 1, "2": 1})})
    await clean(keyspace, "completed")
    assert set(keys.all()) == {"de:E", "events"}


async def test_an_odd_key_does_not_stand_in_the_way(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": "text", "2": record(), "wait": ["2", "1", "ghost"]})
    assert await clean(keyspace, "wait") == ["ghost", "2"]
    keys.put({"3": record(), "completed": Sorted({"1": 1, "3": 3})})
    assert await clean(keyspace, "completed") == ["1", "3"]
    assert keys.get("1") == "text"


async def test_draining_spares_what_does_not_wait_and_says_how_many_went(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({each: record() for each in ("w", "v", "p", "d", "a", "c", "f", "x")})
    stays = {
        "active": ["a"],
        "completed": Sorted({"c": 1}),
        "failed": Sorted({"f": 1}),
        "waiting-children": Sorted({"x": 1}),
    }
    keys.put(
        {**stays, "wait": ["w"], "paused": ["v"], "prioritized": Sorted({"p": 1}), "delayed": Sorted({"d": 1})}
    )
    assert await managing.drain(keyspace, delayed=False) == 3
    assert set(keys.all()) == {*stays, "events", "delayed", "d", "a", "c", "f", "x"}
    assert await managing.drain(keyspace, delayed=True) == 1
    assert await managing.drain(keyspace, delayed=True) == 0
    told = [["cleaned", "1"]] * 4
    assert keys.all() == {"events": told, **stays, **{each: record() for each in ("a", "c", "f", "x")}}


async def test_a_parent_of_the_same_queue_goes_with_its_last_child(
    keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str
) -> None:
    families = Families(raw, prefix)
    families.add("top", place={"waiting-children": Sorted({"top": NOW})}, deid="D")
    families.put("de:D", "top")
    families.add("p", "top", place={"waiting-children": Sorted({"p": NOW})})
    families.add("1", "p", place={"wait": ["1"]})
    families.add("2", "p", place={"delayed": Sorted({"2": 1})})
    assert await managing.drain(keyspace, delayed=False) == 1
    left = "top top:dependencies p p:dependencies waiting-children de:D 2 delayed"
    assert set(families.left()) == set(left.split())
    assert await managing.drain(keyspace, delayed=True) == 1
    assert families.left() == {}


@pytest.mark.parametrize(
    ("priority", "place"), [(0, {"k/wait": ["p"]}), (3, {"k/prioritized": Sorted({"p": 3 * 2**32 + 1})})]
)
async def test_a_parent_of_another_queue_is_let_go(
    keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str, priority: int, place: dict[str, Any]
) -> None:
    families = Families(raw, prefix)
    families.add("k/p", place={"waiting-children": Sorted({"p": NOW})}, priority=priority)
    families.add("1", "k/p", place={"wait": ["1"]})
    assert await managing.drain(keyspace, delayed=False) == 1
    left = families.left()
    left.pop("k/pc", None)
    assert left == {"k/p": record(priority=priority), "k/marker": Sorted({"0": 0}), **place}
    assert families.get("k/events") is None

"""editing.remove: nothing of a removed job is left."""

from typing import Any

import pytest

from stockyard._store.jobs import families as removal
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.keyed import lined_up


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"wait": ["1"]}, "wait"),
        ({"prioritized": Sorted({"1": 1})}, "prioritized"),
        ({"delayed": Sorted({"1": 1})}, "delayed"),
        ({"completed": Sorted({"1": 1})}, "completed"),
        ({"failed": Sorted({"1": 1})}, "failed"),
        ({"waiting-children": Sorted({"1": 1})}, "waiting-children"),
        ({"active": ["1"]}, "active"),
        ({}, "unknown"),
    ],
)
async def test_a_job_goes_from_wherever_it_is(
    keyspace: QueueKeyspace, keys: Keyspace, place: dict[str, Any], told: str
) -> None:
    keys.put({"1": record(), "1:logs": ["a"], "1:processed": {"a": "1"}, **place})
    assert await removal.remove(keyspace, "1") == 1
    assert keys.all() == {"events": [["removed", "1", told]]}


async def test_a_running_job_stays(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    before = {"1": record(), "1:lock": "somebody:1", "active": ["1"]}
    keys.put(before)
    assert await removal.remove(keyspace, "1") == 0
    assert keys.all() == before


async def test_what_does_not_exist_is_named(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await removal.remove(keyspace, "1") == ReplyCode.JOB_MISSING
    assert keys.all() == {}


async def test_a_ghost_id_is_cleared(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"wait": ["1", "2"]})
    assert await removal.remove(keyspace, "1") == 1
    assert keys.get("wait") == ["2"]


async def test_the_next_run_of_a_schedule_stays(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    run = f"repeat:hourly:{NOW}"
    before = {run: record(rjk="hourly"), "repeat": Sorted({"hourly": NOW}), "delayed": Sorted({run: NOW * 4096.0})}
    keys.put(before)
    assert await removal.remove(keyspace, run) == ReplyCode.OF_SCHEDULE
    assert keys.all() == before


async def test_its_deduplication_id_is_freed(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(deid="D"), "2": record(deid="E"), "de:D": "1", "dn:D": {"name": "x"}, "de:E": "9"})
    assert [await removal.remove(keyspace, job_id) for job_id in ("1", "2")] == [1, 1]
    assert (keys.get("de:D"), keys.get("dn:D"), keys.get("de:E")) == (None, None, "9")


async def test_its_parent_does_not_wait_for_it(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    parent, child = keyspace.base + "p", keyspace.base + "1"
    link = f'{{"id":"p","queueKey":"{keyspace.base[:-1]}"}}'
    keys.put(
        {
            "p": record(),
            "p:dependencies": {child},
            "waiting-children": Sorted({"p": 1}),
            "1": record(parentKey=parent, parent=link),
            "wait": ["1"],
        }
    )
    assert await removal.remove(keyspace, "1") == 1
    assert keys.all() == {
        "p": record(),
        "wait": ["p"],
        "marker": Sorted({"0": 0}),
        "events": [["waiting", "p", "waiting-children"], ["removed", "1", "wait"]],
    }


async def test_a_job_leaves_the_line_of_its_key(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(lined_up("A", "2", "3"))
    assert await removal.remove(keyspace, "2") == 1
    assert (keys.get(":key:A"), keys.get(":keys:waiting"), keys.get("2")) == (Sorted({"3": 3}), "1", None)
    assert keys.get("events") == [["removed", "2", "waiting"]]
    assert await removal.remove(keyspace, "3") == 1
    assert keys.get(":key:A") is None
    assert keys.get(":keys:lines") is None

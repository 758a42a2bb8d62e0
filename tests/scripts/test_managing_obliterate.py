"""managing.obliterate: nothing of a queue is left, and nothing of another is touched."""

from typing import Any

import pytest
import redis

from stockyard._store import halting
from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard._store.scripts import load
from stockyard._wire.keys import SUFFIXES
from stockyard._wire.own_keys import EFFECTS
from stockyard.model.naming import Naming
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.families import Families
from tests.scripts.halts import current, halt
from tests.scripts.keyed import lined_up, standing


def fill(keys: Keyspace) -> None:
    """A queue with a key of every kind."""
    ids = "wait aside prio delay done broken parent".split()
    keys.put({each + "-1": record() for each in ids})
    keys.put(
        {
            "wait": ["wait-1", "odd"],
            "paused": ["aside-1"],
            "prioritized": Sorted({"prio-1": 1}),
            "delayed": Sorted({"delay-1": 1}),
            "completed": Sorted({"done-1": 1}),
            "failed": Sorted({"broken-1": 1}),
            "waiting-children": Sorted({"parent-1": 1}),
            "parent-1:dependencies": {"elsewhere:1"},
            "parent-1:unsuccessful": Sorted({"elsewhere:2": 1}),
            "done-1:logs": ["a"],
            "done-1:processed": {"elsewhere:3": "1"},
            "broken-1:failed": {"elsewhere:4": "no"},
            "id": "9",
            "pc": "1",
            "limiter": "3",
            "marker": Sorted({"0": 0}),
            "stalled": {"a"},
            "stalled-check": "1",
            "stalled-check:schedules": "1",
            "repeat": Sorted({"s": NOW}),
            "repeat:s": {"ic": "1"},
            f"repeat:s:{NOW}": record(rjk="s"),
            "repeat:lost": {"ic": "1"},
            "metrics:completed": {"count": "1"},
            "metrics:completed:data": ["1"],
            "metrics:failed": {"count": "1"},
            "metrics:failed:data": ["1"],
            "de:window": "gone",
            "dn:kept": {"name": "x"},
            "odd": "text",
            "lost": record(),
            "lost:logs": ["a"],
            "gone:lock": "w:1",
            "gone:failed": {"elsewhere:5": "no"},
            "priority": Sorted({"1": 1}),
            "delay": "5",
        }
    )


async def test_every_key_goes(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    fill(keys)
    await managing.publish_event(keyspace, "opened", {})
    assert await managing.obliterate(keyspace, force=False) == 0
    assert keys.all() == {}
    assert keys.get("meta") is None


def test_the_script_knows_every_key_of_a_queue_but_those_of_its_effects() -> None:
    assert set(load("managing.obliterate").keys) == set(SUFFIXES) - set(EFFECTS) - {"halts_audit"}


async def test_running_jobs_stand_in_the_way(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    before = {"1": record(), "1:lock": "w:1", "active": ["1"], "2": record(), "wait": ["2"]}
    keys.put(before)
    assert await managing.obliterate(keyspace, force=False) == ReplyCode.JOBS_ACTIVE
    assert keys.all() == before
    assert keys.get("meta") is None


async def test_force_takes_them_along(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "1:lock": "w:1", "active": ["1"]})
    assert await managing.obliterate(keyspace, force=True) == 0
    assert keys.all() == {}


@pytest.mark.parametrize("stage", ["next", "last"])
async def test_a_queue_resumed_meanwhile_is_left_alone(
    keyspace: QueueKeyspace, keys: Keyspace, stage: str
) -> None:
    keys.put({"1": record(), "wait": ["1"]})
    assert await managing._obliterate(keyspace, stage, False) == ReplyCode.QUEUE_RESUMED
    assert keys.all() == {"1": record(), "wait": ["1"]}


async def test_many_go_part_by_part(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managing, "CHUNK", 3)
    fill(keys)
    assert await managing._obliterate(keyspace, "first", False) == 1
    assert len([each for each in keys.all() if each.endswith("-1")]) == 5
    assert await managing.obliterate(keyspace, force=False) == 0
    assert keys.all() == {}


async def test_a_queue_whose_name_goes_on_keeps_all(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    inner: dict[str, Any] = {
        "inner:failed": Sorted({"1": 1}),
        "inner:wait": ["2"],
        "inner:meta": {"paused": "1"},
        "inner:id": "2",
        "inner:1": record(),
        "inner:2": record(),
        "inner:2:logs": ["a"],
        "inner:de:D": "2",
    }
    keys.put({**inner, "1": record(), "wait": ["1"]})
    assert await managing.obliterate(keyspace, force=False) == 0
    assert keys.all() == inner


async def test_a_name_is_no_pattern(raw: "redis.Redis", keyspace: QueueKeyspace, prefix: str) -> None:
    odd = QueueKeyspace(keyspace.server, Naming(prefix), r"a[b]*?\^", clock=keyspace.clock)
    alike = Keyspace(raw, f"{prefix}:abxy:")
    alike.put({"1": record()})
    Keyspace(raw, odd.base).put({"1": record(), "de:D": "1"})
    assert await managing.obliterate(odd, force=False) == 0
    assert Keyspace(raw, odd.base)._raw.keys(f"{prefix}:*") == [f"{prefix}:abxy:1"]


async def test_parents_elsewhere_do_not_wait_for_what_went(
    keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str
) -> None:
    families = Families(raw, prefix)
    families.add("k/p", place={"waiting-children": Sorted({"p": NOW})})
    families.add("1", "k/p", place={"completed": Sorted({"1": NOW})})
    assert await managing.obliterate(keyspace, force=False) == 0
    assert families.left() == {"k/p": record(), "k/wait": ["p"], "k/marker": Sorted({"0": 0})}


async def test_a_queue_that_is_halted_stays_halted(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await halting.apply(keyspace, current(halt()))
    await halting.note_held(keyspace, "1")
    assert await managing.obliterate(keyspace, force=False) == 0
    assert keys.get("meta") == {"paused": "1", "stockyard.halted": "running"}
    assert keys.names() == [":halts", "meta"]
    await halting.apply(keyspace, current(version=NOW + 1))
    assert keys.get("meta") is None
    assert await managing.obliterate(keyspace, force=False) == 0
    assert keys.names() == []


async def test_lines_of_keys_go_with_their_jobs(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managing, "CHUNK", 3)
    keys.put({**standing("A", "1"), **lined_up("A", "2", "3", "4", "5"), "1": record(), "wait": ["1"]})
    # Ids of three parts are found by the line alone.
    keys.put({"b:1:2": record(), ":key:B": Sorted({"b:1:2": 9}), ":keys:lines": Sorted({"B": NOW})})
    keys.put({":keys:parked": {"C": "9"}, ":keys:check": "1", ":keys:rule": "r"})
    assert await managing.obliterate(keyspace, force=False) == 0
    assert keys.all() == {}

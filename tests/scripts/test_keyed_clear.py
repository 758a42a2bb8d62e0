"""keyed.clear: jobs in the lines of their keys are removed."""

import pytest

from stockyard._store.jobs import keyed
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.keyed import lined_up, standing


async def test_lines_are_emptied_and_what_stands_for_the_keys_stays(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyed, "_ROOM", 2)
    keys.put({**standing("A", "1"), **lined_up("A", "2", "3", "4"), "1": record(), "wait": ["1"]})
    keys.put({**lined_up("B", "5"), ":keys:waiting": "4"})
    assert await keyed.clear(keyspace) == ["2", "3", "4", "5"]
    kept = {"1": record(), "wait": ["1"], ":keys:waiting": "0", **standing("A", "1")}
    assert keys.all() == {**kept, "events": [["cleaned", "2"], ["cleaned", "2"]]}


async def test_without_lines_nothing_happens(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await keyed.clear(keyspace) == []
    assert keys.all() == {}


async def test_the_young_stay_and_no_more_than_wanted_go(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyed, "_ROOM", 1)
    keys.put({**lined_up("A", "1", "2", timestamp=NOW), **lined_up("B", "3", "4", timestamp=NOW - 10)})
    keys.put({**lined_up("C", "5", "6", timestamp=NOW - 10), ":keys:waiting": "6"})
    keys.put({":keys:lines": Sorted({"A": 1, "B": 2, "C": 3})})
    assert await keyed.clear(keyspace, NOW - 1, 3) == ["3", "4", "5"]
    assert keys.all() == {
        **lined_up("A", "1", "2", timestamp=NOW),
        **lined_up("C", "6", timestamp=NOW - 10),
        ":keys:waiting": "3",
        ":keys:lines": Sorted({"A": 1, "C": 3}),
        "events": [["cleaned", "1"]] * 3,
    }
    assert await keyed.clear(keyspace, NOW - 1) == ["6"]

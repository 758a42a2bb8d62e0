"""keyed.clear: jobs in the lines of their keys are removed."""

import pytest

from stockyard._store.jobs import keyed
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace, record
from tests.scripts.keyed import lined_up, standing


async def test_lines_are_emptied_and_what_stands_for_the_keys_stays(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyed, "_ROOM", 2)
    keys.put({**standing("A", "1"), **lined_up("A", "2", "3", "4"), "1": record(), "wait": ["1"]})
    keys.put({**lined_up("B", "5"), ":keys:waiting": "4"})
    assert await keyed.clear(keyspace) == 4
    kept = {"1": record(), "wait": ["1"], ":keys:waiting": "0", **standing("A", "1")}
    assert keys.all() == {**kept, "events": [["cleaned", "2"], ["cleaned", "2"]]}


async def test_without_lines_nothing_happens(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await keyed.clear(keyspace) == 0
    assert keys.all() == {}

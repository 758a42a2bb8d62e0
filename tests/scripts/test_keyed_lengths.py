"""keyed.lengths: the lengths of lines, from which the keys with the longest are chosen."""

import pytest

from stockyard._store.jobs import keyed
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.keyed import lined_up, standing


async def test_keys_with_the_longest_lines_come_first(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyed, "_LINES", 2)
    for key, head, jobs in (("A", "1", "2"), ("B", "3", "456"), ("C", "7", "89")):
        keys.put({**standing(key, head), head: record(timestamp=NOW - 1000), **lined_up(key, *jobs)})
    keys.put({"10": record()})
    heads = {"1": "A", "3": "B", "7": "C", "10": "D"}
    keys.put({":keys:heads": heads, ":keys:holders": {key: f'["{head}"]' for head, key in heads.items()}})
    keys.put({":keys:lines": Sorted({"A": 1, "B": 2, "C": 3}), ":keys:waiting": "6"})
    before = keys.all()
    found = await keyed.read_longest(keyspace, 2, looked_at=100)
    assert [(each.key, each.length, each.head, each.oldest_age) for each in found] == [
        ("B", 3, "3", 1.0),
        ("C", 2, "7", 1.0),
    ]
    assert [each.key for each in await keyed.read_longest(keyspace, 9, looked_at=2)] == ["B", "A"]
    assert keys.all() == before


async def test_without_lines_there_are_none(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await keyed.read_longest(keyspace, 9, looked_at=9) == []
    assert keys.all() == {}

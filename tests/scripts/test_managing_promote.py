"""managing.promote: what is delayed runs now."""

import pytest

from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record


async def test_each_goes_where_its_priority_says(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(delay=9), "2": record(delay=9, priority=3), "3": record(delay=9)})
    keys.put({"delayed": Sorted({"1": NOW, "2": NOW + 1, "3": NOW + 2}), "wait": ["8"]})
    assert await managing.promote_all(keyspace) == 3
    assert keys.all() == {
        "1": record(),
        "2": record(priority=3),
        "3": record(),
        "wait": ["3", "1", "8"],
        "prioritized": Sorted({"2": 3 * 2**32 + 1}),
        "pc": "1",
        "marker": Sorted({"0": 0}),
        "events": [["waiting", job_id, "delayed"] for job_id in "123"],
    }


async def test_many_go_part_by_part(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managing, "CHUNK", 2)
    keys.put({str(number): record() for number in range(5)})
    keys.put({"delayed": Sorted({str(number): number for number in range(5)}), "meta": {"paused": "1"}})
    assert await managing.promote_all(keyspace) == 5
    assert keys.get("wait") == ["4", "3", "2", "1", "0"]
    assert keys.get("marker") is None


async def test_an_odd_key_does_not_stand_in_the_way(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "2": "text", "3": record(), "delayed": Sorted({"1": 1, "2": 2, "3": 3})})
    assert await managing.promote_all(keyspace) == 2
    assert (keys.get("wait"), keys.get("delayed")) == (["3", "1"], None)


async def test_an_id_without_a_record_is_cleared(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"delayed": Sorted({"1": 1})})
    assert await managing.promote_all(keyspace) == 0
    assert keys.get("delayed") is None
    assert keys.get("1") is None


async def test_nothing_is_delayed(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await managing.promote_all(keyspace) == 0
    assert keys.all() == {}

"""keyed.list: the keys that have jobs, with where their first jobs are."""

from stockyard._store.jobs import keyed
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.key_order import KeyInfo, KeyState
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.keyed import lined_up, standing


async def test_each_key_with_its_first_job(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**standing("A", "1"), **lined_up("A", "7", "8"), "1": record(timestamp=NOW - 2000), "wait": ["1"]})
    keys.put({**standing("B", "2"), "2": record(), "2:lock": "w:1", "active": ["2"]})
    keys.put({**standing("C", "3"), "3": record(), "delayed": Sorted({"3": 1})})
    keys.put({**standing("D", "4"), "4": record(), "waiting-children": Sorted({"4": 1})})
    keys.put({**standing("E", "5"), "5": record(failedReason="no such symbol"), ":keys:parked": {"E": "5"}})
    before = keys.all()
    found = await keyed.read_keys(keyspace, state="", most=100)
    assert sorted(found, key=lambda each: each.key) == [
        KeyInfo("A", KeyState.WAITING, 2, "1", 2.0),
        KeyInfo("B", KeyState.RUNNING, 0, "2", 0.0),
        KeyInfo("C", KeyState.HELD, 0, "3", 0.0),
        KeyInfo("D", KeyState.HELD, 0, "4", 0.0),
        KeyInfo("E", KeyState.PARKED, 0, "5", 0.0, "no such symbol"),
    ]
    assert keys.all() == before
    assert [each.key for each in await keyed.read_keys(keyspace, state="parked", most=100)] == ["E"]


async def test_so_many_at_most(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    for number in range(5):
        keys.put(standing(f"K{number}", f"{number}"))
    assert len(await keyed.read_keys(keyspace, state="", most=3)) == 3


async def test_a_key_whose_record_is_gone_has_no_age(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**standing("A", "1"), ":keys:parked": {"A": "1"}})
    assert await keyed.read_keys(keyspace, state="", most=9) == [KeyInfo("A", KeyState.PARKED, 0, "1", 0.0)]

"""keyed.repair: keys whose jobs have gone without a word go on."""

from stockyard._store.jobs import keyed
from stockyard._store.jobs.keyed import FIRST, Place
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.key_order import KeyOrder
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.keyed import ORDERED, PARKING, lined_up, standing


async def repair_all(keyspace: QueueKeyspace, order: KeyOrder = ORDERED) -> int:
    """Look through all keys; return in how many calls."""
    place: Place | None = FIRST
    calls = 0
    while place is not None:
        place = await keyed.repair(keyspace, order, place, interval_ms=60_000)
        calls += 1
    return calls


async def test_every_key_whose_job_has_gone_goes_on(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**standing("A", "1"), **lined_up("A", "4")})
    keys.put({**standing("B", "2"), **lined_up("B", "5"), "2": record(), "completed": Sorted({"2": NOW})})
    keys.put({**standing("C", "3"), **lined_up("C", "6"), "3": record(), "active": ["3"]})
    await repair_all(keyspace)
    assert sorted(keys.get("wait")) == ["4", "5"]
    assert keys.get(":keys:heads") == {"3": "C", "4": "A", "5": "B"}


async def test_a_key_that_a_node_worker_failed_is_parked(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**standing("A", "1"), **lined_up("A", "4"), "1": record(), "failed": Sorted({"1": NOW})})
    await repair_all(keyspace, PARKING)
    assert (keys.get(":keys:parked"), keys.get("wait")) == ({"A": "1"}, None)


async def test_a_line_that_nobody_stands_before_goes_on(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(lined_up("A", "4", "5"))
    await repair_all(keyspace)
    assert (keys.get("wait"), keys.get(":keys:holders")) == (["4"], {"A": '["4"]'})


async def test_a_key_that_was_given_more_places_uses_them(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**standing("A", "1"), **lined_up("A", "4", "5"), "1": record(), "wait": ["1"]})
    await repair_all(keyspace, KeyOrder(is_ordered=False, concurrency=2))
    assert (keys.get("wait"), keys.get(":key:A")) == (["4", "1"], Sorted({"5": 5}))


async def test_many_keys_are_looked_through_in_several_calls(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    for number in range(3000):
        keys.put(standing(f"K{number}", f"{number}"))
    keys.put(lined_up("K2999", "5000"))
    assert await repair_all(keyspace) > 4
    assert keys.get("wait") == ["5000"]
    assert keys.get(":keys:heads") == {"5000": "K2999"}


async def test_a_look_is_made_by_one_worker_an_interval(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await repair_all(keyspace)
    keys.put(lined_up("A", "4"))
    assert await keyed.repair(keyspace, ORDERED, FIRST, interval_ms=60_000) is None
    assert keys.get("wait") is None
    assert 0 < keys.ttl(":keys:check") <= 60_000

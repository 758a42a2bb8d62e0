"""keyed.repair: keys whose jobs have gone without a word go on."""

from typing import Any

from stockyard._store.jobs import keyed
from stockyard._store.jobs.arranging import arranged_job
from stockyard._store.jobs.keyed import FIRST, Place
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.arrangement import Arrangement
from stockyard.model.key_order import KeyOrder
from stockyard.model.options import JobOptions
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.keyed import ORDERED, PARKING, lined_up, standing
from tests.support.adding import send_jobs


async def repair_all(keyspace: QueueKeyspace, order: KeyOrder | None = ORDERED) -> int:
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


async def test_without_a_declaration_that_of_the_producer_counts(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any
) -> None:
    keyspace.arrangement = Arrangement(keys=PARKING)
    keyed_jobs = [
        arranged_job(keyspace, "x", "{}", JobOptions().merged(key=key), NOW) for key in ("A", "A", "A", "B", "B")
    ]
    await send_jobs(keyspace, keyed_jobs)
    for job_id, state in (("1", "completed"), ("4", "failed")):
        raw.lrem(keyspace.keys["wait"], 1, job_id)
        raw.zadd(keyspace.keys[state], {job_id: NOW})
    keyspace.arrangement = None
    await repair_all(keyspace, None)
    assert (keys.get("wait"), keys.get(":key:A")) == (["2"], Sorted({"3": 3}))
    assert (keys.get(":keys:parked"), keys.get(":key:B")) == ({"B": "4"}, Sorted({"5": 5}))


async def test_without_any_declaration_nothing_is_done(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(lined_up("A", "4"))
    assert await repair_all(keyspace, None) == 1
    assert keys.get("wait") is None

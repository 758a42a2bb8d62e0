"""keyed.resume: a parked key goes on behind its failed job."""

from stockyard._store.jobs import keyed
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.keyed import PARKING, lined_up, standing


async def test_the_next_job_runs_and_the_failed_one_stays(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**standing("A", "1"), **lined_up("A", "2"), "1": record(), "failed": Sorted({"1": NOW})})
    keys.put({":keys:parked": {"A": "1"}})
    assert await keyed.resume(keyspace, PARKING, "A") == "1"
    assert (keys.get("wait"), keys.get("failed")) == (["2"], Sorted({"1": NOW}))
    assert (keys.get(":keys:parked"), keys.get(":keys:heads")) == (None, {"2": "A"})
    assert keys.get("events") == [["waiting", "2"], ["key", "1", "A", "resumed"]]
    assert keys.get("marker") == Sorted({"0": 0})


async def test_a_key_that_is_not_parked(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**standing("A", "1"), **lined_up("A", "2"), "1": record(), "wait": ["1"]})
    before = keys.all()
    assert await keyed.resume(keyspace, PARKING, "A") is None
    assert keys.all() == before


async def test_a_record_that_is_gone_keeps_no_key(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**standing("A", "1"), **lined_up("A", "2"), ":keys:parked": {"A": "1"}})
    assert await keyed.resume(keyspace, PARKING, "A") == "1"
    assert keys.get("wait") == ["2"]

"""editing.promote: a delayed job may run now."""

from stockyard._store.jobs import editing
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import NOW, Keyspace, Sorted, record


async def test_a_plain_job_goes_behind_what_waits(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(delay=5000), "delayed": Sorted({"1": NOW * 4096.0}), "wait": ["8"]})
    assert await editing.promote(keyspace, "1") == 0
    assert keys.all() == {
        "1": record(delay=0),
        "wait": ["1", "8"],
        "marker": Sorted({"0": 0}),
        "events": [["waiting", "1", "delayed"]],
    }


async def test_a_prioritized_job_goes_by_its_priority(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(delay=5, priority=3), "delayed": Sorted({"1": 1}), "meta": {"paused": "1"}})
    assert await editing.promote(keyspace, "1") == 0
    assert keys.all() == {
        "1": record(delay=0, priority=3),
        "prioritized": Sorted({"1": 3 * 2**32 + 1}),
        "pc": "1",
        "events": [["waiting", "1", "delayed"]],
    }


async def test_a_job_that_is_not_delayed_stays(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "wait": ["1"]})
    assert await editing.promote(keyspace, "1") == ReplyCode.WRONG_STATE
    assert await editing.promote(keyspace, "2") == ReplyCode.JOB_MISSING
    assert keys.all() == {"1": record(), "wait": ["1"]}

"""scheduling.remove: a schedule ends, and its next run with it unless that waits or runs."""

from stockyard._store.jobs import scheduling
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.test_scheduling_upsert import HOUR, RUN, upsert


async def test_its_delayed_run_goes_with_it(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    run, _ = await upsert(keyspace, every_ms=HOUR, start=NOW + HOUR)
    assert await scheduling.remove(keyspace, "s")
    assert (keys.get("repeat"), keys.get("repeat:s"), keys.get("delayed"), keys.get(run)) == (None,) * 4
    assert keys.get("events")[-1] == ["removed", run, "delayed"]


async def test_a_run_that_waits_is_left(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await upsert(keyspace, every_ms=HOUR)
    assert await scheduling.remove(keyspace, "s")
    assert (keys.get("repeat"), keys.get("repeat:s"), keys.get("wait")) == (None, None, [RUN])


async def test_one_that_has_come_to_its_end_can_be_removed(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(
        {
            "repeat": Sorted({"s": NOW - HOUR}),
            "repeat:s": {"name": "work", "every": HOUR, "limit": 1, "ic": 1},
            f"repeat:s:{NOW - HOUR}": record(finishedOn=NOW),
            "completed": Sorted({f"repeat:s:{NOW - HOUR}": NOW}),
        }
    )
    assert await scheduling.remove(keyspace, "s")
    assert (keys.get("repeat"), keys.get("repeat:s")) == (None, None)
    assert keys.get("completed") == Sorted({f"repeat:s:{NOW - HOUR}": NOW})


async def test_what_does_not_exist_changes_nothing(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert not await scheduling.remove(keyspace, "s")
    assert keys.all() == {}

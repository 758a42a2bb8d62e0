"""breaking.settle: a trial that completes closes the breaker, one that proves nothing is followed by another."""

from stockyard._store import breaking
from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace, Sorted, record
from tests.scripts.test_breaking_fail import fail


async def opened(keyspace: QueueKeyspace, keys: Keyspace, trial: str = "1") -> None:
    for job_id in ("1", "2"):
        await fail(keyspace, job_id)
    keys.put({"3": record(), "wait": ["3"]})
    await keyspace.server.call("HSET", keyspace.keys["breaker"], "trial", trial)


async def test_a_trial_that_completes_closes_it(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await opened(keyspace, keys)
    await breaking.settle_trial(keyspace, "1", closes=True)
    assert keys.get(":breaker") is None
    assert "paused" not in keys.get("meta")
    assert "stockyard.halted" not in keys.get("meta")
    assert keys.get("marker") == Sorted({"0": 0})
    assert keys.get("events")[-2:] == [["breaker", "close", "job 1 completed"], ["resumed"]]
    assert keys.get(":halts:audit")[-1] == ["close", "q", "breaker", "job 1 completed"]


async def test_one_that_proves_nothing_leaves_room_for_another(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await opened(keyspace, keys)
    await breaking.settle_trial(keyspace, "1", closes=False)
    assert set(keys.get(":breaker")) == {"open", "until"}
    assert keys.get("meta")["paused"] == "1"


async def test_a_job_that_is_no_trial_decides_nothing(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await opened(keyspace, keys)
    before = keys.all()
    await breaking.settle_trial(keyspace, "2", closes=True)
    assert keys.all() == before


async def test_it_is_closed_by_hand_and_what_was_paused_stays_paused(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    await managing.pause(keyspace)
    await opened(keyspace, keys)
    await breaking.close(keyspace, "closed by ada: checked")
    assert keys.get(":breaker") is None
    assert keys.get("meta")["paused"] == "1"
    assert "stockyard.halted" not in keys.get("meta")
    assert keys.get(":halts:audit")[-1] == ["close", "q", "breaker", "closed by ada: checked"]
    before = keys.all()
    await breaking.close(keyspace, "again")
    assert keys.all() == before

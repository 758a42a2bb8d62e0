"""effects.lose: a job that began no effect and lost its run is unknown."""

from stockyard._store.effects import lose_job, read
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace
from tests.scripts.effects import locked


async def test_a_job_without_an_effect_is_to_be_failed_and_is_unknown(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put(locked(starts=3))
    assert await lose_job(keyspace, "7", "its worker is gone", at_start=False)
    assert keys.get("7")["defa"] == "its worker is gone"
    record = await read(keyspace, "job:7")
    assert record is not None
    assert (record.job_id, record.outcome, record.may_have_applied, record.is_whole_job) == (
        "7",
        "unknown",
        True,
        True,
    )
    assert (record.starts, record.worker, record.reason) == (3, "w", "its worker is gone")
    assert list(keys.get(":effects:unknown")) == ["job:7"]


async def test_a_job_with_an_effect_is_judged_by_that(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked(effect="k"))
    before = keys.all()
    assert not await lose_job(keyspace, "7", "its worker is gone", at_start=True)
    assert not await lose_job(keyspace, "7", "its worker is gone", at_start=False)
    assert keys.all() == before


async def test_lost_twice_it_is_one_effect_since_the_first_time(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked())
    assert await lose_job(keyspace, "7", "first", at_start=False)
    since = keys.get(":effects:unknown")
    assert await lose_job(keyspace, "7", "second", at_start=True)
    assert keys.get(":effects:unknown") == since


async def test_settled_as_not_applied_it_may_run_again(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**locked(), ":effect:job:7": {"outcome": "failed", "fence": "1"}})
    assert not await lose_job(keyspace, "7", "lost", at_start=True)
    assert keys.get("7") == locked()["7"]
    # Stopped in the middle of that run, it is unknown again.
    assert await lose_job(keyspace, "7", "lost", at_start=False)


async def test_settled_as_applied_it_must_not(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**locked(), ":effect:job:7": {"outcome": "committed", "fence": "1"}})
    before = keys.all()
    assert await lose_job(keyspace, "7", "lost", at_start=True)
    assert keys.all() == before

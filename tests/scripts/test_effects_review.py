"""effects.review: what is overdue becomes unknown, what nobody needs is forgotten, once an interval."""

from collections.abc import Callable

import pytest

from stockyard._store.effects import review
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted
from tests.scripts.effects import begin, forget, locked, report, stored

DAY = 24 * 3_600_000
At = Callable[[int], QueueKeyspace]


@pytest.fixture(autouse=True)
async def begun(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked())
    await begin(keyspace)


async def looked(keyspace: QueueKeyspace, keys: Keyspace) -> list[str]:
    """The keys that a look returns; the next one need not wait."""
    _, records = await review(keyspace, interval_ms=60_000, keep_ms=DAY)
    keys.delete(":effects:check")
    return [record.key for record in records]


async def test_an_effect_whose_worker_is_gone_becomes_unknown_after_its_deadline(
    keyspace: QueueKeyspace, keyspace_at: At, keys: Keyspace
) -> None:
    keys.delete("7:lock")
    assert await looked(keyspace, keys) == []
    assert await looked(keyspace_at(NOW + 800), keys) == ["k"]
    record = stored(keys)
    assert record is not None
    assert (record["outcome"], record["applied"], record["reason"]) == (
        "unknown",
        "1",
        "its worker said no more of it",
    )
    assert (keys.get(":effects:open"), keys.get(":effects:unknown")) == (None, Sorted({"k": NOW + 800}))
    assert keys.get("events") == [["effect", "7", "k", "unknown"]]


async def test_a_run_that_goes_on_may_still_say_what_became_of_it(keyspace_at: At, keys: Keyspace) -> None:
    assert await looked(keyspace_at(NOW + 900), keys) == []
    assert keys.get(":effects:open") == Sorted({"k": NOW + 60_900})
    assert (stored(keys) or {})["outcome"] == "open"


async def test_a_later_run_of_the_job_is_not_the_one_that_began_it(keyspace_at: At, keys: Keyspace) -> None:
    keys.put(locked(starts=2))
    assert await looked(keyspace_at(NOW + 900), keys) == ["k"]


async def test_one_worker_looks_in_an_interval(keyspace_at: At, keys: Keyspace) -> None:
    keys.delete("7:lock")
    later = keyspace_at(NOW + 900)
    assert len((await review(later, interval_ms=60_000, keep_ms=DAY))[1]) == 1
    assert (await review(later, interval_ms=60_000, keep_ms=DAY))[1] == []


async def test_a_settled_effect_stays_as_long_as_its_job_and_a_day(
    keyspace: QueueKeyspace, keyspace_at: At, keys: Keyspace
) -> None:
    await report(keyspace, "committed")
    await looked(keyspace_at(NOW + DAY), keys)
    assert keys.get(":effects:settled") == Sorted({"k": NOW + DAY})
    keys.delete("7")
    await looked(keyspace_at(NOW + 2 * DAY - 1), keys)
    assert stored(keys) is not None
    await looked(keyspace_at(NOW + 2 * DAY), keys)
    assert keys.names() == ["7:lock"]


async def test_an_unknown_effect_stays_without_its_job(
    keyspace: QueueKeyspace, keyspace_at: At, keys: Keyspace
) -> None:
    await report(keyspace, "unknown")
    keys.delete("7")
    assert await looked(keyspace_at(NOW + 100 * DAY), keys) == ["k"]


async def test_a_key_without_a_record_is_struck_out(keyspace_at: At, keys: Keyspace) -> None:
    forget(keys)
    await looked(keyspace_at(NOW + 900), keys)
    assert keys.get(":effects:open") is None

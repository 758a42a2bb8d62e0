"""effects.report: the outcome as the run knows it, in time or late."""

from collections.abc import Callable

import pytest

from stockyard._store import effects as store
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted
from tests.scripts.effects import begin, locked, report, reported, settle

UNKNOWN = ["effect", "7", "k", "unknown"]


@pytest.fixture(autouse=True)
async def begun(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked(starts=2))
    await begin(keyspace, starts=2)


async def test_a_success_is_committed(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    record = await report(keyspace, "committed", value='{"id":5}')
    assert (record.outcome, record.value, record.resolved_by, record.ended_on) == (
        "committed",
        {"id": 5},
        "worker",
        NOW,
    )
    assert record.evidence is None
    assert (keys.get(":effects:open"), keys.get(":effects:settled")) == (None, Sorted({"k": NOW}))
    assert keys.get("events") is None


async def test_reported_twice_it_stays_the_same(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await report(keyspace, "committed", value="1")
    before = keys.all()
    await report(keyspace, "committed", value="1")
    assert keys.all() == before


async def test_a_certain_failure_is_failed(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    record = await report(keyspace, "failed", reason="rejected")
    assert (record.outcome, record.reason, record.may_have_applied) == ("failed", "rejected", False)
    assert keys.get(":effects:settled") == Sorted({"k": NOW})


async def test_what_may_have_been_applied_is_unknown(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    record = await report(keyspace, "unknown", reason="OSError: reset")
    assert (record.outcome, record.reason, record.may_have_applied, record.resolved_by) == (
        "unknown",
        "OSError: reset",
        True,
        None,
    )
    assert (keys.get(":effects:open"), keys.get(":effects:unknown")) == (None, Sorted({"k": NOW}))
    assert keys.get("events") == [UNKNOWN]


async def test_a_failure_after_an_attempt_that_may_have_been_applied_is_unknown(
    keyspace: QueueKeyspace, keyspace_at: Callable[[int], QueueKeyspace], keys: Keyspace
) -> None:
    await report(keyspace, "unknown")
    later = keyspace_at(NOW + 9_000)
    await begin(later, "n2", starts=2, fence="1", outcome="unknown")
    record = await report(later, "failed", "n2", reason="duplicate")
    assert (record.outcome, record.may_have_applied, record.fence) == ("unknown", True, 2)
    assert keys.get(":effects:unknown") == Sorted({"k": NOW + 9_000})


async def test_a_late_success_is_evidence_and_settles_what_is_unknown(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    await settle(keyspace, "unknown", waits=False)
    record = await report(keyspace, "committed", value="5")
    assert (record.outcome, record.value, record.resolved_by) == ("committed", 5, "evidence")
    assert record.evidence == {"fence": 1, "value": 5}
    assert keys.get("events") == [UNKNOWN, ["effect", "7", "k", "committed"]]


async def test_a_late_success_beside_a_later_attempt_settles_that(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await begin(keyspace, "n2", starts=2, fence="1", outcome="open")
    assert (await report(keyspace, "committed", value="5")).outcome == "committed"
    # The later attempt ends, too: what is known stays known.
    assert (await report(keyspace, "failed", "n2")).outcome == "committed"
    assert (await report(keyspace, "unknown", "n2")).outcome == "committed"
    assert keys.get(":effects:settled") == Sorted({"k": NOW})


async def test_a_late_success_speaks_against_a_failure(keyspace: QueueKeyspace) -> None:
    await settle(keyspace, "failed", waits=False)
    record = await report(keyspace, "committed", value="5")
    assert (record.outcome, record.resolved_by, record.evidence) == (
        "committed",
        "evidence",
        {"fence": 1, "value": 5},
    )


@pytest.mark.parametrize("outcome", ["failed", "unknown"])
async def test_a_late_failure_changes_nothing(keyspace: QueueKeyspace, keys: Keyspace, outcome: str) -> None:
    await settle(keyspace, "unknown", waits=False)
    before = keys.all()
    assert (await report(keyspace, outcome)).outcome == "unknown"
    assert keys.all() == before


async def test_of_what_does_not_exist_nothing_is_written(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    before = keys.all()
    assert await store.report(keyspace, [reported("committed", key="other")]) == ["unknown"]
    assert keys.all() == before


async def test_each_effect_of_a_call_is_concluded_by_itself(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    for job_id in ("8", "9"):
        keys.put({job_id: locked()["7"], f"{job_id}:lock": "w:1"})
        await begin(keyspace, f"n{job_id}", job_id=job_id, key=f"k{job_id}")
    assert await store.report(
        keyspace,
        [
            reported("committed", value="5"),
            reported("committed", key="other", value="1"),
            reported("failed", "n8", key="k8", reason="rejected"),
            reported("failed", "not mine", key="k9"),
        ],
    ) == ["committed", "unknown", "failed", "open"]
    records = [await store.read(keyspace, key) for key in ("k", "k8", "k9")]
    assert [record and (record.outcome, record.value, record.reason) for record in records] == [
        ("committed", 5, None),
        ("failed", None, "rejected"),
        ("open", None, None),
    ]
    assert keys.get(":effects:open") == Sorted({"k9": NOW + 800})
    assert keys.get(":effects:settled") == Sorted({"k": NOW, "k8": NOW})

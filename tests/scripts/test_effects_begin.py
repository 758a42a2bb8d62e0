"""effects.begin: the intent is written, unless the lease or an earlier record stands in the way."""

from collections.abc import Callable
from typing import Any

import redis

from stockyard._store import effects as store
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import NOW, Keyspace, Sorted
from tests.scripts.effects import DEADLINE, begin, effects_in, intent, locked, report, settle, stored


async def test_an_intent_is_written(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked())
    begun = await begin(keyspace)
    assert (begun.code, begun.now, begun.left_ms) == (0, NOW, 800)
    assert {name: keys.get(name) for name in ("7", "7:lock", ":effects:open")} == {
        **locked(effect="k"),
        ":effects:open": Sorted({"k": DEADLINE}),
    }
    assert (keys.get(":effects:compact") is None) == (keys.lease_ms is None)
    assert stored(keys) == {
        "key": "k",
        "job": "7",
        "worker": "w",
        "nonce": "n1",
        "fence": "1",
        "begun": f"1 1 {NOW} {NOW} {DEADLINE} p",
        "outcome": "open",
    }
    assert begun.record is not None
    assert (begun.record.fence, begun.record.deadline, begun.record.outcome) == (1, DEADLINE, "open")


async def test_a_job_that_may_run_again_is_not_marked(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked())
    (begun,) = await store.begin(keyspace, [intent("n1")], marks=False)
    assert (begun.code, begun.started_on, begun.deadline, begun.fence) == (0, NOW, DEADLINE, 1)
    assert {key: value for key, value in keys.all().items() if "effect" not in key} == locked()


async def test_of_two_with_one_key_in_a_call_the_second_finds_the_first(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put(locked())
    first, second, other = await store.begin(keyspace, [intent("n1"), intent("n2"), intent("n3", key="other")])
    assert (first.code, second.code, other.code) == (0, ReplyCode.EFFECT_EXISTS, 0)
    assert second.record is not None
    stands = await store.read(keyspace, "k")
    assert stands == second.record
    assert stands.fence == 1


async def test_the_lease_bounds_the_deadline(keyspace: QueueKeyspace, keys: Keyspace, raw: "redis.Redis") -> None:
    keys.put(locked())
    raw.pexpire(keyspace.keys.of_job("7", "lock"), 600)
    begun = await begin(keyspace)
    assert begun.code == 0
    assert 300 < begun.left_ms <= 600
    assert begun.record is not None
    assert begun.record.deadline == NOW + begun.left_ms


async def test_too_short_a_lease_is_refused(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked())
    assert (await begin(keyspace, least=801)).code == ReplyCode.LEASE_TOO_SHORT
    assert keys.all() == locked()


async def test_without_the_lock_nothing_is_begun(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    job = {"7": locked()["7"]}
    keys.put(job)
    assert (await begin(keyspace)).code == ReplyCode.LOCK_MISSING
    assert keys.all() == job


async def test_a_run_that_is_not_the_last_begins_nothing(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked(starts=2))
    assert (await begin(keyspace, starts=1)).code == ReplyCode.LOCK_MISMATCH
    assert keys.all() == locked(starts=2)


async def test_asked_again_after_a_lost_reply_it_answers_the_same(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked())
    first = await begin(keyspace)
    before = keys.all()
    assert await begin(keyspace) == first
    assert keys.all() == before


async def test_an_earlier_record_stands_in_the_way_of_who_does_not_know_it(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put(locked())
    await begin(keyspace)
    before = keys.all()
    second = await begin(keyspace, "n2")
    assert second.code == ReplyCode.EFFECT_EXISTS
    assert second.record is not None
    assert (second.record.outcome, second.record.payload, second.record.job_id) == ("open", "p", "7")
    for fence, outcome in (("2", "open"), ("1", "unknown")):
        assert (await begin(keyspace, "n2", fence=fence, outcome=outcome)).code == ReplyCode.EFFECT_EXISTS
    assert keys.all() == before


async def test_sent_again_it_may_have_been_applied_before(
    keyspace: QueueKeyspace, keyspace_at: Callable[[int], QueueKeyspace], keys: Keyspace
) -> None:
    keys.put(locked(starts=2))
    await begin(keyspace, starts=2)
    later = keyspace_at(NOW + 5_000)
    again = await begin(later, "n2", starts=2, fence="1", outcome="open", attempt="2")
    assert again.code == 0
    assert again.record is not None
    assert (again.record.fence, again.record.attempt, again.record.may_have_applied) == (2, 2, True)
    assert (again.record.first_started_on, again.record.started_on) == (NOW, NOW + 5_000)
    assert keys.get(":effects:open") == Sorted({"k": NOW + 5_800})


async def test_what_certainly_failed_begins_from_nothing(
    keyspace: QueueKeyspace, keyspace_at: Callable[[int], QueueKeyspace], keys: Keyspace
) -> None:
    keys.put(locked())
    await begin(keyspace)
    await report(keyspace, "failed", reason="rejected")
    later = keyspace_at(NOW + 5_000)
    again = await begin(later, "n2", fence="1", outcome="failed")
    assert again.record is not None
    assert (again.record.fence, again.record.may_have_applied, again.record.reason) == (2, False, None)
    assert again.record.first_started_on == NOW + 5_000
    assert keys.get(":effects:settled") is None


async def test_what_is_settled_in_between_is_not_begun(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked())
    await begin(keyspace)
    await report(keyspace, "unknown")
    await settle(keyspace, "committed", by="stream", value='{"id":1}')
    second: Any = await begin(keyspace, "n2", fence="1", outcome="unknown")
    assert second.code == ReplyCode.EFFECT_EXISTS
    assert (second.record.outcome, second.record.value) == ("committed", {"id": 1})


async def test_each_intent_of_a_call_is_decided_by_itself(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked())
    await begin(keyspace, key="known")
    for job_id in ("8", "9", "10"):
        keys.put({job_id: locked()["7"], f"{job_id}:lock": "w:1"})
    intents = [
        intent("a", key="first"),
        intent("b", job_id="11", key="without a lock"),
        intent("c", job_id="8", key="of another start", starts=2),
        intent("d", job_id="8", key="known"),
        intent("e", job_id="10", key="too late", least=801),
        intent("f", job_id="9", key="last"),
        intent("g", job_id="8", key="last"),
    ]
    begun = await store.begin(keyspace, intents)
    assert [each.code for each in begun] == [
        0,
        ReplyCode.LOCK_MISSING,
        ReplyCode.LOCK_MISMATCH,
        ReplyCode.EFFECT_EXISTS,
        ReplyCode.LEASE_TOO_SHORT,
        0,
        # The one before it in the same call has begun this effect.
        ReplyCode.EFFECT_EXISTS,
    ]
    assert [each.record and (each.record.key, each.record.job_id) for each in begun] == [
        None,
        None,
        None,
        ("known", "7"),
        None,
        None,
        ("last", "9"),
    ]
    assert keys.get(":effects:open") == Sorted({"known": DEADLINE, "first": DEADLINE, "last": DEADLINE})
    assert effects_in(keys) == {"first", "known", "last"}

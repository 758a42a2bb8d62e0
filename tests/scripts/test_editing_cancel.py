"""editing.cancel: a job that has not ended is to fail."""

import redis

from stockyard._store.jobs import cancelling
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard._wire.own_keys import cancel_channel
from tests.scripts.conftest import NOW, Keyspace, Sorted, record


async def test_a_job_that_waits_or_runs_is_marked_and_its_workers_are_notified(
    keyspace: QueueKeyspace, keys: Keyspace, raw: "redis.Redis"
) -> None:
    with raw.pubsub() as heard:  # type: ignore[no-untyped-call]
        heard.subscribe(cancel_channel(keyspace.keys.naming, keyspace.queue))
        assert heard.get_message(timeout=60)["type"] == "subscribe"
        keys.put({"1": record(), "2": record(), "wait": ["1"], "active": ["2"]})
        assert await cancelling.cancel(keyspace, "1", "cancelled") == 0
        assert await cancelling.cancel(keyspace, "2", "cancelled: late") == 0
        assert keys.all() == {
            "1": record(defa="cancelled"),
            "2": record(defa="cancelled: late"),
            "wait": ["1"],
            "active": ["2"],
        }
        assert [heard.get_message(timeout=60)["type"] for _ in "12"] == ["message"] * 2


async def test_a_delayed_job_goes_to_wait_by_its_priority(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(delay=5, priority=3), "delayed": Sorted({"1": NOW * 4096.0})})
    assert await cancelling.cancel(keyspace, "1", "cancelled") == 0
    assert keys.all() == {
        "1": record(delay=0, priority=3, defa="cancelled"),
        "prioritized": Sorted({"1": 3 * 2**32 + 1}),
        "pc": "1",
        "marker": Sorted({"0": 0}),
        "events": [["waiting", "1", "delayed"]],
    }


async def test_a_parent_does_not_wait_for_its_children(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "1:dependencies": {"k"}, "waiting-children": Sorted({"1": NOW})})
    assert await cancelling.cancel(keyspace, "1", "cancelled") == 0
    assert keys.all() == {
        "1": record(delay=0, defa="cancelled"),
        "1:dependencies": {"k"},
        "wait": ["1"],
        "marker": Sorted({"0": 0}),
        "events": [["waiting", "1", "waiting-children"]],
    }


async def test_a_job_that_has_ended_stays(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    before = {
        "1": record(),
        "2": record(),
        "completed": Sorted({"1": NOW}),
        "failed": Sorted({"2": NOW}),
    }
    keys.put(before)
    assert await cancelling.cancel(keyspace, "1", "cancelled") == ReplyCode.WRONG_STATE
    assert await cancelling.cancel(keyspace, "2", "cancelled") == ReplyCode.WRONG_STATE
    assert await cancelling.cancel(keyspace, "3", "cancelled") == ReplyCode.JOB_MISSING
    assert keys.all() == before

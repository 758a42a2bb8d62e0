"""breaking.fail: failures are counted within a time, and too many of them halt the queue."""

from collections.abc import Callable

from stockyard._store import breaking, halting
from stockyard._store.breaking import BreakerReply
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace
from tests.scripts.halts import BREAKER, current, halt


async def fail(keyspace: QueueKeyspace, job_id: str = "1", starts: int = 1) -> BreakerReply:
    return await breaking.note_failure(keyspace, BREAKER, job_id, starts, "ConnectionError: gone")


async def test_the_last_of_too_many_opens_it(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await fail(keyspace) is BreakerReply.CLOSED
    assert keys.names() == [":breaker:failures"]
    assert 0 < keys.ttl(":breaker:failures") <= 30_000
    assert await fail(keyspace, starts=2) is BreakerReply.OPENED
    (opened,) = await halting.read_breakers([keyspace])
    assert (opened.queues, opened.source, opened.by, opened.since) == ("q", "breaker", "circuit breaker", NOW)
    assert opened.reason == "2 failures within 30 s, the last: ConnectionError: gone"
    assert keys.get(":breaker:failures") is None
    assert keys.get(":breaker")["until"] == str(NOW + 60_000)
    meta = keys.get("meta")
    assert (meta["paused"], meta["stockyard.halted"]) == ("1", "running")
    assert keys.get("events") == [["paused"], ["breaker", "open", "ConnectionError: gone"]]
    assert keys.get(":halts:audit") == [["open", "q", "breaker", "ConnectionError: gone"]]
    assert await fail(keyspace, "2") is BreakerReply.OPEN


async def test_a_run_that_is_reported_twice_counts_once(keyspace: QueueKeyspace) -> None:
    assert await fail(keyspace) is await fail(keyspace) is BreakerReply.CLOSED


async def test_those_that_are_long_ago_do_not_count(
    keyspace: QueueKeyspace, keyspace_at: Callable[[int], QueueKeyspace]
) -> None:
    await fail(keyspace)
    assert await fail(keyspace_at(NOW + 30_000), "2") is BreakerReply.CLOSED
    assert await fail(keyspace_at(NOW + 59_999), "3") is BreakerReply.OPENED


async def test_a_trial_that_fails_leaves_it_open_for_as_long_again(
    keyspace_at: Callable[[int], QueueKeyspace], keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    for job_id in ("1", "2"):
        await fail(keyspace, job_id)
    await keyspace.server.call("HSET", keyspace.keys["breaker"], "trial", "2")
    later = keyspace_at(NOW + 70_000)
    assert await fail(later, "1") is BreakerReply.OPEN
    assert await fail(later, "2") is BreakerReply.TRIAL_FAILED
    assert "trial" not in keys.get(":breaker")
    assert keys.get(":breaker")["until"] == str(NOW + 130_000)
    assert [entry[0] for entry in keys.get(":halts:audit")] == ["open", "trial failed"]


async def test_a_queue_that_is_halted_already_stays_halted_when_it_closes(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    await halting.apply(keyspace, current(halt()))
    for job_id in ("1", "2"):
        await fail(keyspace, job_id)
    await breaking.close(keyspace, "by hand")
    assert keys.get("meta")["paused"] == "1"
    await halting.apply(keyspace, current(version=NOW + 1))
    assert "paused" not in keys.get("meta")

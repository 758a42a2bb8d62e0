"""New incidents replace the old ones; notifications are added to the history."""

import redis

from stockyard._store import alerts
from stockyard._store.alerts import AlertKeyspace
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.naming import Naming


async def test_only_the_leader_may_write(keyspace: QueueKeyspace, prefix: str) -> None:
    desk = AlertKeyspace(keyspace.server, Naming(prefix), "desk")
    assert not await alerts.record(desk, "a", {"x": b"1"}, [b"first"])
    await alerts.lead(desk, "a", 60_000)
    assert await alerts.record(desk, "a", {"x": b"1", "y": b"2"}, [b"first"])
    assert await alerts.record(desk, "a", {"y": b"3"}, [b"second"])
    assert not await alerts.record(desk, "b", {}, [b"third"])
    assert await alerts.read_incidents(desk) == {"y": b"3"}
    assert await alerts.read_history(desk, 10) == [b"second", b"first"]


async def test_no_incident_leaves_no_key(keyspace: QueueKeyspace, prefix: str) -> None:
    desk = AlertKeyspace(keyspace.server, Naming(prefix), "desk")
    await alerts.lead(desk, "a", 60_000)
    await alerts.record(desk, "a", {"x": b"1"}, [])
    await alerts.record(desk, "a", {}, [])
    assert await alerts.read_incidents(desk) == {}


async def test_a_history_that_is_no_list_is_begun_again(
    keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str
) -> None:
    raw.hset(f"{prefix}::alerts:desk:history", "x", "y")
    desk = AlertKeyspace(keyspace.server, Naming(prefix), "desk")
    await alerts.lead(desk, "a", 60_000)
    assert await alerts.record(desk, "a", {"x": b"1"}, [b"first"])
    assert await alerts.read_history(desk, 10) == [b"first"]

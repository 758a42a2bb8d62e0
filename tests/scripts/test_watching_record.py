"""What was found replaces what was known; what was told is added to the history."""

import redis

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.watching import AlertStore


async def test_only_the_one_who_watches_may_write(keyspace: QueueKeyspace, prefix: str) -> None:
    store = AlertStore(keyspace.server, prefix, "desk")
    assert not await store.record("a", {"x": b"1"}, [b"told"])
    await store.lead("a", 60_000)
    assert await store.record("a", {"x": b"1", "y": b"2"}, [b"first"])
    assert await store.record("a", {"y": b"3"}, [b"second"])
    assert not await store.record("b", {}, [b"third"])
    assert await store.incidents() == {"y": b"3"}
    assert await store.history(10) == [b"second", b"first"]


async def test_no_incident_leaves_no_key(keyspace: QueueKeyspace, prefix: str) -> None:
    store = AlertStore(keyspace.server, prefix, "desk")
    await store.lead("a", 60_000)
    await store.record("a", {"x": b"1"}, [])
    await store.record("a", {}, [])
    assert await store.incidents() == {}


async def test_a_history_that_is_no_list_is_begun_again(
    keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str
) -> None:
    raw.hset(f"{prefix}::alerts:desk:history", "x", "y")
    store = AlertStore(keyspace.server, prefix, "desk")
    await store.lead("a", 60_000)
    assert await store.record("a", {"x": b"1"}, [b"first"])
    assert await store.history(10) == [b"first"]

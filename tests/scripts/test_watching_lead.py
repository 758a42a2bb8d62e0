"""One process watches, and learns what the last one knew."""

from typing import Any

import pytest
import redis

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.watching import AlertStore


async def test_the_first_watches_and_stays_it(keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str) -> None:
    store = AlertStore(keyspace.server, prefix, "desk")
    assert await store.lead("a", 60_000) == ({}, {}, ())
    assert await store.lead("b", 60_000) is None
    assert await store.lead("a", 60_000) == ({}, {}, ())
    assert 0 < int(raw.pttl(f"{prefix}::alerts:desk:leader")) <= 60_000


async def test_the_next_takes_over_what_is_known(keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str) -> None:
    store = AlertStore(keyspace.server, prefix, "desk")
    await store.lead("a", 60_000)
    assert await store.record("a", {"waiting/q": b'{"n":1}'}, [b"told"])
    await store.silence("*/q", b"hush")
    await store.resign("b")
    assert await store.lead("b", 60_000) is None
    await store.resign("a")
    assert await store.lead("b", 60_000) == ({"waiting/q": b'{"n":1}'}, {"*/q": b"hush"}, ())


@pytest.mark.parametrize("garbage", ["DEL", "SET", "LPUSH", "HSET", "ZADD"])
async def test_a_leader_that_another_program_wrote_is_replaced(
    keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str, garbage: str
) -> None:
    key = f"{prefix}::alerts:desk:leader"
    values = {"DEL": (), "SET": ("x",), "LPUSH": ("x",), "HSET": ("x", "y"), "ZADD": (1, "x")}[garbage]
    run: Any = raw.execute_command
    run(garbage, key, *values)
    store = AlertStore(keyspace.server, prefix, "desk")
    assert await store.lead("a", 60_000) == ({}, {}, ())
    assert await store.lead("b", 60_000) is None


async def test_incidents_and_silences_that_are_no_hash_are_named(
    keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str
) -> None:
    base = f"{prefix}::alerts:desk:"
    raw.set(f"{base}incidents", "x")
    raw.lpush(f"{base}silences", "x")
    store = AlertStore(keyspace.server, prefix, "desk")
    assert await store.lead("a", 60_000) == ({}, {}, (f"{base}incidents", f"{base}silences"))
    assert await store.record("a", {"waiting/q": b"1"}, [])
    assert await store.incidents() == {"waiting/q": b"1"}

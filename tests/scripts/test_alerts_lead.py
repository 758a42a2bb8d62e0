"""One process leads, and takes over what the last one stored."""

from typing import Any

import pytest
import redis

from stockyard._store import alerts
from stockyard._store.alerts import AlertKeyspace
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.naming import Naming


async def test_the_first_leads_and_stays_it(keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str) -> None:
    desk = AlertKeyspace(keyspace.server, Naming(prefix), "desk")
    assert await alerts.lead(desk, "a", 60_000) == ({}, {}, ())
    assert await alerts.lead(desk, "b", 60_000) is None
    assert await alerts.lead(desk, "a", 60_000) == ({}, {}, ())
    assert 0 < int(raw.pttl(f"{prefix}::alerts:desk:leader")) <= 60_000


async def test_the_next_takes_over_what_is_known(keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str) -> None:
    desk = AlertKeyspace(keyspace.server, Naming(prefix), "desk")
    await alerts.lead(desk, "a", 60_000)
    assert await alerts.record(desk, "a", {"waiting/q": b'{"n":1}'}, [b"first"])
    await alerts.silence(desk, "*/q", b"hush")
    await alerts.resign(desk, "b")
    assert await alerts.lead(desk, "b", 60_000) is None
    await alerts.resign(desk, "a")
    assert await alerts.lead(desk, "b", 60_000) == ({"waiting/q": b'{"n":1}'}, {"*/q": b"hush"}, ())


@pytest.mark.parametrize("garbage", ["DEL", "SET", "LPUSH", "HSET", "ZADD"])
async def test_a_leader_that_another_program_wrote_is_replaced(
    keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str, garbage: str
) -> None:
    key = f"{prefix}::alerts:desk:leader"
    values = {"DEL": (), "SET": ("x",), "LPUSH": ("x",), "HSET": ("x", "y"), "ZADD": (1, "x")}[garbage]
    run: Any = raw.execute_command
    run(garbage, key, *values)
    desk = AlertKeyspace(keyspace.server, Naming(prefix), "desk")
    assert await alerts.lead(desk, "a", 60_000) == ({}, {}, ())
    assert await alerts.lead(desk, "b", 60_000) is None


async def test_incidents_and_silences_that_are_no_hash_are_named(
    keyspace: QueueKeyspace, raw: "redis.Redis", prefix: str
) -> None:
    base = f"{prefix}::alerts:desk:"
    raw.set(f"{base}incidents", "x")
    raw.lpush(f"{base}silences", "x")
    desk = AlertKeyspace(keyspace.server, Naming(prefix), "desk")
    assert await alerts.lead(desk, "a", 60_000) == ({}, {}, (f"{base}incidents", f"{base}silences"))
    assert await alerts.record(desk, "a", {"waiting/q": b"1"}, [])
    assert await alerts.read_incidents(desk) == {"waiting/q": b"1"}

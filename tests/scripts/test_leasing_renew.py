"""leasing.renew: locks that are still the caller's live on, the others are named."""

import pytest

from stockyard._store.ids import id_of
from stockyard._store.jobs.leasing import renew
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace, record


async def test_own_locks_live_on(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1:lock": "w:1", "2:lock": "w:1", "stalled": {"1", "2", "3"}})
    assert await renew(keyspace, [("1", "w:1", 1), ("2", "w:1", 1)], 5000) == []
    assert keys.all() == {"1:lock": "w:1", "2:lock": "w:1", "stalled": {"3"}}
    assert 4000 < keys.ttl("1:lock") <= 5000


async def test_a_lock_of_somebody_else_is_lost(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    before = {"1:lock": "other:1", "1": record(ats=1), "active": ["1"], "stalled": {"1"}}
    keys.put(before)
    assert await renew(keyspace, [("1", "w:1", 1)], 5000) == ["1"]
    assert keys.all() == before


async def test_a_lock_that_the_server_lost_is_restored(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(ats=2), "active": ["1"], "stalled": {"1"}})
    assert await renew(keyspace, [("1", "w:1", 2)], 5000) == []
    assert keys.all() == {"1": record(ats=2), "active": ["1"], "1:lock": "w:1"}


async def test_a_job_that_was_taken_since_is_lost(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(ats=3), "2": record(ats=1), "active": ["1"], "wait": ["2"]})
    assert await renew(keyspace, [("1", "w:1", 2), ("2", "w:1", 1), ("3", "w:1", 1)], 5000) == ["1", "2", "3"]
    assert not [name for name in keys.all() if name.endswith(":lock")]


async def test_who_renews_a_lease_has_the_record(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(ats=1), "1:lock": "w:1", "stalled-check:unread": {"1": "1:0", "2": "1:0"}})
    assert await renew(keyspace, [("1", "w:1", 1)], 5000) == []
    assert keys.get("stalled-check:unread") == {"2": "1:0"}


@pytest.mark.parametrize("raw", [b"\xff\xfe1", "Ærø-2".encode(), b'a"\\/b', b"nul\0-and-\x1f\x7f"])
async def test_an_id_may_be_any_bytes(keyspace: QueueKeyspace, raw: bytes) -> None:
    lock = keyspace.base.encode() + raw + b":lock"
    await keyspace.server.call("SET", lock, "w:1")
    own, other = id_of(raw), id_of(raw + b"?")
    assert await renew(keyspace, [(own, "w:1", 1), (other, "w:1", 1)], 5000) == [other]
    assert 4000 < await keyspace.server.call("PTTL", lock) <= 5000

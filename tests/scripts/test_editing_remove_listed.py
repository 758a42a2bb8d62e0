"""editing.remove_listed: jobs of a large family out of a list, in one walk along it."""

from typing import Any

import msgspec

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.scripts import load
from tests.scripts.conftest import Keyspace, record

REMOVE = load("editing.remove_listed")


async def remove(keyspace: QueueKeyspace, name: str, skip: int, size: int, *ids: str) -> Any:
    gone, held = await keyspace.run(REMOVE, keyspace.base, name, skip, size, msgspec.msgpack.encode(ids), "")
    return sorted(each.decode() for each in gone), held.decode()


async def test_jobs_within_the_window_go_and_the_others_keep_their_order(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    ids = [f"j{number}" for number in range(10)]
    keys.put({"wait": ids[::-1], **{job_id: record() for job_id in ids}})
    assert await remove(keyspace, "wait", 1, 4, "j0", "j2", "j4", "j5") == (["j2", "j4"], "")
    assert keys.get("wait") == ["j9", "j8", "j7", "j6", "j5", "j3", "j1", "j0"]
    assert keys.get("j2") is None
    assert await remove(keyspace, "wait", 0, 100, "j9", "j0") == (["j0", "j9"], "")
    assert await remove(keyspace, "wait", 100, 100, "j1") == ([], "")
    assert keys.get("wait") == ["j8", "j7", "j6", "j5", "j3", "j1"]
    assert sorted(keys.get("events")) == [["removed", f"j{at}", "wait"] for at in (0, 2, 4, 9)]


async def test_a_job_that_runs_stays(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"active": ["a", "b"], "a": record(), "b": record(), "a:lock": "w:1"})
    assert await remove(keyspace, "active", 0, 10, "a", "b") == (["b"], keyspace.base + "a")
    assert keys.get("active") == ["a"]


async def test_without_a_list_each_is_looked_for(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"wait": ["a"], "paused": ["b"], "a": record(), "b": record(), "c": record()})
    assert await remove(keyspace, "", 0, 10, "a", "b", "c", "d") == (["a", "b", "c", "d"], "")
    assert keys.names() == ["events", "meta"]

"""managing.configure: limits of all workers."""

from typing import Any

import pytest

from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace, Sorted

RUNG = Sorted({"0": 0})


async def test_limits_are_set_and_taken_off(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"meta": {"opts.maxLenEvents": "7"}})
    assert await managing.configure(keyspace, {"max": 10, "duration": 86_400_000_000})
    assert not await managing.configure(keyspace, {"max": 10, "duration": 86_400_000_000})
    assert await managing.configure(keyspace, {"max": 11})
    assert await managing.configure(keyspace, {"max": 10})
    assert keys.get("meta") == {"opts.maxLenEvents": "7", "max": "10", "duration": "86400000000"}
    assert await managing.configure(keyspace, {"max": None, "duration": None})
    assert not await managing.configure(keyspace, {"max": None, "duration": None})
    assert keys.get("meta") == {"opts.maxLenEvents": "7"}
    assert keys.all() == {}


async def test_room_for_more_wakes_a_worker(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"active": ["1"], "wait": ["2"], "meta": {"concurrency": "1"}})
    await managing.configure(keyspace, {"concurrency": 1})
    assert keys.get("marker") is None
    await managing.configure(keyspace, {"concurrency": 2})
    assert keys.get("marker") == RUNG


async def test_a_limit_taken_off_wakes_a_worker(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"active": ["1"], "prioritized": Sorted({"2": 1}), "meta": {"concurrency": "1"}})
    await managing.configure(keyspace, {"concurrency": None})
    assert keys.get("marker") == RUNG


async def test_a_paused_queue_sleeps_on(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"wait": ["2"], "meta": {"paused": "1"}})
    await managing.configure(keyspace, {"concurrency": 9})
    assert keys.get("marker") is None


@pytest.mark.parametrize(
    ("started", "left"),
    [("5", (59_000, 60_000)), ("9007199254740991", (599_000, 600_000))],
    ids=["a window is cut to the new one's length", "a limit by hand is not"],
)
async def test_a_window_under_a_longer_rate_ends_with_the_new_one(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any, started: str, left: tuple[int, int]
) -> None:
    raw.set(keyspace.keys["limiter"], started, px=600_000)
    await managing.configure(keyspace, {"max": 9, "duration": 60_000})
    assert left[0] < keys.ttl("limiter") <= left[1]
    await managing.configure(keyspace, {"max": 9, "duration": 900_000})
    assert keys.ttl("limiter") <= left[1]


async def test_the_limits_of_the_event_stream_are_kept_in_meta(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await managing.read_event_limits(keyspace) == (10_000, 16 * 2**20)
    for _ in range(400):
        await managing.publish_event(keyspace, "opened", {})
    await managing.set_event_limits(keyspace, 100, None)
    assert 100 <= len(keys.get("events")) < 300
    await managing.set_event_limits(keyspace, None, 5_000_000)
    assert keys.get("meta") == {"opts.maxLenEvents": "100", "stockyard.events.maxBytes": "5000000"}
    assert await managing.read_event_limits(keyspace) == (100, 5_000_000)

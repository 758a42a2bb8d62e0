"""reading.state: where a job is and how it ended."""

from typing import Any

import pytest
import redis

from stockyard._store.jobs.reading import Ending, read_state
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace, Sorted, record


@pytest.mark.parametrize(
    ("place", "state"),
    [
        ({"wait": ["2", "1"]}, "waiting"),
        ({"paused": ["1"]}, "waiting"),
        ({"active": ["1"]}, "active"),
        *(({name: Sorted({"1": 1})}, name) for name in ("prioritized", "delayed", "completed", "failed")),
        ({"waiting-children": Sorted({"1": 1})}, "waiting-children"),
        ({}, "unknown"),
        ({":key:A": Sorted({"1": 1})}, "waiting"),
        ({":key:A": Sorted({"2": 1})}, "unknown"),
    ],
)
async def test_every_place_is_known(
    keyspace: QueueKeyspace, keys: Keyspace, place: dict[str, Any], state: str
) -> None:
    keys.put({"1": record(**{"stockyard.key": "A"}), **place})
    assert await read_state(keyspace, "1") == Ending(state, True, None, None)


async def test_the_end_is_told(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(returnvalue='{"a":1}'), "2": record(failedReason="no Ω")})
    assert (await read_state(keyspace, "1")).value == b'{"a":1}'
    assert (await read_state(keyspace, "2")).reason == "no Ω"


async def test_a_job_that_does_not_exist(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await read_state(keyspace, "1") == Ending("unknown", False, None, None)
    assert keys.all() == {}


async def test_the_last_event_by_then_is_told(keyspace: QueueKeyspace, keys: Keyspace, raw: "redis.Redis") -> None:
    keys.put({"1": record()})
    stream: Any = raw
    stream.xadd(keyspace.keys["events"], {"event": "a"}, id="7-1")
    stream.xadd(keyspace.keys["events"], {"event": "b"}, id="7-2")
    assert (await read_state(keyspace, "1")).last_event == "7-2"
    raw.delete(keyspace.keys["events"])
    keys.put({"events": "no stream"})
    assert (await read_state(keyspace, "1")).last_event == "0-0"

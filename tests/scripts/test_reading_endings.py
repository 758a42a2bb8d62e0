"""reading.endings: the ends of jobs whose records are gone, in the event stream."""

from typing import Any

import redis

from stockyard._store.jobs.reading import find_endings
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace


def tell(raw: "redis.Redis", keyspace: QueueKeyspace, *events: dict[str, str]) -> None:
    stream: Any = raw
    for event in events:
        stream.xadd(keyspace.keys["events"], event)


def completed(job_id: str, value: str) -> dict[str, str]:
    return {"event": "completed", "jobId": job_id, "returnvalue": value, "prev": "active"}


async def test_the_last_end_of_each_job_is_found(keyspace: QueueKeyspace, raw: "redis.Redis") -> None:
    tell(
        raw,
        keyspace,
        completed("1", "0"),
        completed("1", "1"),
        {"event": "failed", "jobId": "2", "failedReason": "no Ω"},
        {"event": "retries-exhausted", "jobId": "2", "attemptsMade": "1"},
        completed("3", "3"),
        {"event": "added", "jobId": "3", "name": "again"},
        {"event": "drained"},
    )
    assert await find_endings(keyspace, ["1", "2", "3", "4"]) == {
        "1": ("completed", b"1"),
        "2": ("failed", "no Ω".encode()),
        "3": ("added", b""),
    }


async def test_a_long_stream_is_looked_through_in_parts(
    keyspace: QueueKeyspace, keys: Keyspace, raw: "redis.Redis"
) -> None:
    tell(raw, keyspace, completed("first", "1"))
    pipe: Any = raw.pipeline()
    for number in range(1_200):
        pipe.xadd(keyspace.keys["events"], completed(str(number), "2" * (30_000 if number < 60 else 1)))
    pipe.execute()
    assert await find_endings(keyspace, ["first"]) == {"first": ("completed", b"1")}
    assert await find_endings(keyspace, ["none"]) == {}


async def test_no_stream_holds_no_end(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await find_endings(keyspace, ["1"]) == {}
    assert keys.all() == {}

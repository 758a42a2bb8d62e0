"""managing.publish: an event of one's own."""

from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace


async def test_an_event_is_told(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await managing.publish_event(keyspace, "opened", {"by": "Ω", "empty": ""})
    assert keys.all() == {"events": [["opened", "Ω", ""]]}
    assert keys.get("meta") == {"opts.maxLenEvents": "10000"}


async def test_the_stream_keeps_the_length_that_the_queue_has(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"meta": {"opts.maxLenEvents": "100"}})
    for _ in range(400):
        await managing.publish_event(keyspace, "opened", {})
    assert 100 <= len(keys.get("events")) < 300


async def test_large_events_leave_the_stream_by_their_bytes(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"meta": {"opts.maxLenEvents": "10000", "stockyard.events.maxBytes": "200000"}})
    for _ in range(40):
        await managing.publish_event(keyspace, "opened", {"by": "x" * 20_000})
    assert 5 <= len(keys.get("events")) <= 12

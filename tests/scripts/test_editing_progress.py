"""editing.progress: progress is stored and told."""

from typing import Any

import pytest

from stockyard._store.jobs import editing
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import Keyspace, record
from tests.scripts.full_server import FullFor


async def test_progress_is_stored_and_told(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(progress="1")})
    assert await editing.write_progress(keyspace, "1", b'{"done":2}') == 0
    assert keys.all() == {"1": record(progress='{"done":2}'), "events": [["progress", "1", '{"done":2}']]}


async def test_no_progress_without_a_job(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await editing.write_progress(keyspace, "1", b"5") == ReplyCode.JOB_MISSING
    assert keys.all() == {}


async def test_a_full_server_takes_it_of_a_running_job(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.put({"1": record(), "1:lock": "w:1", "meta": {"opts.maxLenEvents": "9"}})
    with FullFor("editing.progress", raw, prefix, works=True).installed(monkeypatch):
        assert await editing.write_progress(keyspace, "1", b"5") >= 0


async def test_large_values_leave_the_stream_by_their_bytes(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "meta": {"opts.maxLenEvents": "10000", "stockyard.events.maxBytes": "200000"}})
    for number in range(40):
        await editing.write_progress(keyspace, "1", f'"{number}{"x" * 20_000}"'.encode())
    told = [event[2] for event in keys.get("events")]
    assert 5 <= len(told) <= 12
    assert told[-1].startswith('"39x')
    assert keys.get("meta")["stockyard.events.mark"]


async def test_small_values_are_not_counted(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record()})
    await editing.write_progress(keyspace, "1", b'"' + b"x" * 998 + b'"')
    assert keys.get("meta") == {"opts.maxLenEvents": "10000"}


async def test_a_value_beyond_the_limit_is_told_all_the_same(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "meta": {"opts.maxLenEvents": "10000", "stockyard.events.maxBytes": "1"}})
    for number in range(3):
        await editing.write_progress(keyspace, "1", f'"{number}{"x" * 20_000}"'.encode())
    assert [event[2][:2] for event in keys.get("events")] == ['"2']

"""editing.data: a payload is replaced."""

from typing import Any

import pytest

from stockyard._store.jobs import editing
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import Keyspace, record
from tests.scripts.full_server import FullFor


async def test_the_payload_is_replaced_and_nothing_told(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(data='{"a":1}')})
    assert await editing.write_data(keyspace, "1", '{"b":"Ω"}'.encode()) == 0
    assert keys.all() == {"1": record(data='{"b":"Ω"}')}


async def test_what_does_not_exist_is_not_made(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await editing.write_data(keyspace, "1", b"{}") == ReplyCode.JOB_MISSING
    assert keys.all() == {}


async def test_a_full_server_takes_it_of_a_running_job(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.put({"1": record(), "1:lock": "w:1", "meta": {"opts.maxLenEvents": "9"}})
    with FullFor("editing.data", raw, prefix, works=True).installed(monkeypatch):
        assert await editing.write_data(keyspace, "1", b"5") >= 0

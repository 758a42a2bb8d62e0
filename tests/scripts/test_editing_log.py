"""editing.log: lines of a job's log."""

from typing import Any

import pytest

from stockyard._store.jobs import editing
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import Keyspace, record
from tests.scripts.full_server import FullFor


async def test_lines_are_appended(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record()})
    assert [await editing.append_log(keyspace, "1", line) for line in ("one", "two Ω", "")] == [1, 2, 3]
    assert keys.all() == {"1": record(), "1:logs": ["one", "two Ω", ""]}


async def test_the_last_ones_are_kept_as_the_job_asks(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(opts='{"kl":2}')})
    assert [await editing.append_log(keyspace, "1", line) for line in ("a", "b", "c")] == [1, 2, 2]
    assert keys.get("1:logs") == ["b", "c"]


async def test_broken_options_keep_everything(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(opts="{"), "1:logs": ["a"]})
    assert await editing.append_log(keyspace, "1", "b") == 2


async def test_no_line_without_a_job(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await editing.append_log(keyspace, "1", "a") == ReplyCode.JOB_MISSING
    assert keys.all() == {}


async def test_a_full_server_takes_it_of_a_running_job(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.put({"1": record(), "1:lock": "w:1", "meta": {"opts.maxLenEvents": "9"}})
    with FullFor("editing.log", raw, prefix, works=True).installed(monkeypatch):
        assert await editing.append_log(keyspace, "1", "x") >= 0

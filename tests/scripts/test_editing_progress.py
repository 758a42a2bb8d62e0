"""editing.progress: progress is stored and told."""

from typing import Any

import pytest

from stockyard._store import editing
from stockyard._store.link import QueueLink
from tests.scripts.conftest import Keyspace, record
from tests.scripts.full_server import FullFor


async def test_progress_is_stored_and_told(link: QueueLink, keys: Keyspace) -> None:
    keys.put({"1": record(progress="1")})
    assert await editing.write_progress(link, "1", b'{"done":2}') == 0
    assert keys.all() == {"1": record(progress='{"done":2}'), "events": [["progress", "1", '{"done":2}']]}


async def test_no_progress_without_a_job(link: QueueLink, keys: Keyspace) -> None:
    assert await editing.write_progress(link, "1", b"5") == editing.MISSING
    assert keys.all() == {}


async def test_a_full_server_takes_it_of_a_running_job(
    link: QueueLink, keys: Keyspace, raw: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.put({"1": record(), "1:lock": "w:1", "meta": {"opts.maxLenEvents": "9"}})
    with FullFor("editing.progress", raw, prefix, works=True).installed(monkeypatch):
        assert await editing.write_progress(link, "1", b"5") >= 0

"""finishing.finish: what may keep jobs from being taken is composed of gates."""

import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from stockyard._store import composing, scripts
from stockyard._store.jobs.finishing import TakeRequest, finish_arguments, finish_reply_of
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.scripts import Script
from tests.scripts.conftest import NOW, Keyspace, record

HALTED = """-- A halted queue starts nothing, and counts what it started.

local function halted_gate(halted)
  return halted
end

local function halted_started(keys, number)
  redis.call('HINCRBY', keys.meta, 'started', number)
end
"""


@pytest.fixture
def composed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Script]]:
    """Loads scripts from a tree that has the optional gate ``halted``, too."""
    tree = tmp_path / "lua"
    shutil.copytree(str(files("stockyard._store") / "lua"), tree)
    (tree / "lib" / "gates" / "halted.lua").write_text(HALTED)
    finish = tree / "jobs" / "finishing" / "finish.lua"
    finish.write_text(finish.read_text().replace("concurrency [rate]", "[halted] concurrency [rate]"))
    caches: list[Any] = [composing._parts_of_files, composing.parts, scripts.load, scripts.names, scripts._folders]
    for module in (composing, scripts):
        monkeypatch.setattr(module, "lua_root", lambda: tree)
    for cache in caches:
        cache.cache_clear()
    yield scripts.load
    for cache in caches:
        cache.cache_clear()


async def test_a_gate_that_a_queue_declares_is_asked_and_costs_no_other(
    composed: Callable[[str], Script], keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    async def take(script: Script) -> list[str]:
        request = TakeRequest(1, "w:2", 30_000, limit_max=9, limit_window=60_000)
        reply = await keyspace.run(script, *finish_arguments(keyspace, [], request, now=NOW))
        return [started.id for started in finish_reply_of(reply).records]

    keys.put({"wait": ["3", "2", "1"], "1": record(), "2": record(), "3": record(), "meta": {"halted": "1"}})
    assert await take(composed("finishing.finish+halted")) == []
    assert await take(composed("finishing.finish+halted+rate")) == []
    assert await take(composed("finishing.finish+rate")) == ["1"]
    assert (keys.get("meta").get("started"), keys.get("limiter")) == (None, "1")
    keys.delete("meta")
    assert await take(composed("finishing.finish+halted")) == ["2"]
    assert (keys.get("meta").get("started"), keys.get("limiter")) == ("1", "1")
    assert "halted" not in composed("finishing.finish").text

"""_store.text_cache: composed texts on the disk, for processes that start later."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stockyard._store import text_cache
from stockyard._store.composing import lua_root, written_out
from stockyard._store.scripts import Script, load, names


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The compiled files of Python, in a folder of the test's own."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    caches = (text_cache._folder, text_cache._state)
    for each in caches:
        each.cache_clear()
    yield tmp_path
    for each in caches:
        each.cache_clear()


def kept_files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


def test_a_text_is_composed_once(folder: Path) -> None:
    first, again = Script("adding.add"), Script("adding.add")
    assert first.text == written_out(load("adding.add").source)
    (kept,) = kept_files(folder)
    assert (kept.name.startswith("adding.add-"), kept.read_text()) == (True, first.text)
    kept.write_text("-- from the disk")
    assert again.text == "-- from the disk"


def test_scripts_and_their_choices_are_kept_apart(folder: Path) -> None:
    some = [name for name in names() if name.startswith("arranging.add")]
    texts = {name: Script(name).text for name in some}
    assert len(some) > 5
    assert {name: Script(name).text for name in some} == texts
    assert sorted(text_cache._path(name) for name in some) == sorted(kept_files(folder))


def test_a_file_that_changes_makes_all_texts_new(folder: Path) -> None:
    before = Script("adding.add").text
    source = lua_root() / "lib" / "jobs" / "events.lua"
    assert source.is_file()
    times = source.stat()
    text_cache._path("adding.add").write_text("-- of before")
    try:
        os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
        text_cache._state.cache_clear()
        assert text_cache.kept("adding.add") is None
        assert Script("adding.add").text == before
        # What nobody will read again goes.
        assert len(kept_files(folder)) == 1
    finally:
        os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_nothing_is_written_where_python_keeps_no_compiled_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert Script("adding.add").text == load("adding.add").text
    assert kept_files(folder) == []


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_text("")
    monkeypatch.setattr(sys, "pycache_prefix", str(folder / "file"))
    assert Script("adding.add").text == load("adding.add").text

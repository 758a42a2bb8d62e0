"""Keeps the composed texts of scripts beside Python's compiled files, for processes that start after this one."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path

_STORE = Path(__file__).parent
_FOLDERS = (_STORE, _STORE.parent / "_wire")
"""Where the Lua is, and the Python that composes a text or names what stands in it."""


def kept(name: str) -> str | None:
    """Return the text of a script, or None where it has to be composed: nobody has yet, or a file has changed."""
    try:
        return _path(name).read_text()
    except OSError:
        return None


def keep(name: str, text: str) -> None:
    """Keep the text of a script; where Python keeps no compiled files, or nothing can be written, that is all."""
    if sys.dont_write_bytecode:
        return
    path = _path(name)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = path.with_suffix(f".{os.getpid()}")
        begun.write_text(text)
        # At once and as a whole: another process reads the one before or this one.
        begun.replace(path)
        for older in path.parent.glob(f"{name}-*.composed"):
            if older != path:
                older.unlink()


def _path(name: str) -> Path:
    return _folder() / f"{name}-{_state()}.composed"


@cache
def _folder() -> Path:
    return Path(cache_from_source(__file__)).parent / "scripts"


@cache
def _state() -> str:
    """Return what changes with each file that a text depends on: by its time and its size, as Python's own are."""
    seen = hashlib.sha1(usedforsecurity=False)
    for each in sorted(f"{entry.path} {found.st_mtime_ns} {found.st_size}" for entry, found in _files()):
        seen.update(each.encode())
    return seen.hexdigest()[:16]


def _files() -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
    folders = [*_FOLDERS]
    while folders:
        for entry in os.scandir(folders.pop()):
            if entry.name.endswith((".lua", ".py")):
                yield entry, entry.stat()
            elif entry.is_dir() and entry.name != "__pycache__":
                folders.append(Path(entry.path))

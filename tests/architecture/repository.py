"""The repository's own files, for tests that read them."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "stockyard"

_FOLDERS = ("src", "tests", "benchmarks", "examples", "docs", "deploy", ".ci")
_MADE = {".venv", "node_modules", "__pycache__", ".peers", "results"}
_BINARY = {".gz", ".pyc", ".png"}


def files(*endings: str) -> Iterator[Path]:
    """Every file that people wrote, those that end so; all of them without an ending."""
    return (path for path in _files() if not endings or path.suffix in endings)


@cache
def _files() -> list[Path]:
    found = [path for name in _FOLDERS for path in sorted(_below(ROOT / name)) if path.suffix not in _BINARY]
    beside = (path for path in sorted(ROOT.iterdir()) if path.is_file() and not path.name.startswith("."))
    return found + [path for path in beside if path.suffix in {".md", ".toml", ""}]


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        # What was installed there has a hundred times as many files as the repository.
        folders[:] = set(folders) - _MADE
        yield from (Path(where, name) for name in names if name not in _MADE)


def name(path: Path) -> str:
    """The file's path as the repository has it."""
    return str(path.relative_to(ROOT))

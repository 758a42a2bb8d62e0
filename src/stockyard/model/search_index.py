"""An index of jobs by values of their payloads: what a queue declares, and how an entry is spelled. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.job_query import text_at

_LONGEST = 200
"""Characters of a value that an entry has; a search compares the whole value of each job that it reads."""
_MOST_PATHS = 8


def checked_paths(given: Any) -> tuple[str, ...]:
    """Return the paths of a declaration, each once; raises InvalidOption."""
    paths = tuple(dict.fromkeys(checks.several("indexed", () if given is None else given, of="paths")))
    for path in paths:
        if not checks.is_text(path) or not all(path.split(".")) or any(each in ": \t\n" for each in path):
            raise InvalidOption(
                "indexed must be paths in payloads, as in ('order_id', 'legs.0.venue'): what a search names "
                f"behind 'data.'; got {checks.shown(path)}"
            )
    if len(paths) > _MOST_PATHS:
        raise InvalidOption(f"indexed must be {_MOST_PATHS} paths or fewer; got {len(paths)}")
    return paths


def entries_of(paths: Iterable[str], data: str | bytes, timestamp: int, job_id: str) -> Iterator[tuple[str, str]]:
    """Yield path and entry for each declared value that a payload, as JSON text, has."""
    try:
        payload = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return
    for path in paths:
        value = text_at(payload, path.split("."))
        if value is not None:
            yield path, entry_of(value, timestamp, job_id)


def entry_of(value: str, timestamp: int, job_id: str) -> str:
    """Return the entry of one job: entries of a value stand together, in the order of their times."""
    return f"{_spelled(value)}\0{timestamp:015d}\0{job_id}"


def bounds_of(value: str) -> tuple[str, str]:
    """Return what all entries of a value come behind, and before."""
    return f"{_spelled(value)}\0", f"{_spelled(value)}\1"


def id_in(entry: str) -> str:
    """Return the job of an entry."""
    return entry.split("\0", 2)[2]


def is_indexed(paths: Sequence[str], path: Sequence[str]) -> bool:
    """Say whether an index has the values at a path."""
    return ".".join(path) in paths


def _spelled(value: str) -> str:
    return value.lower()[:_LONGEST].replace("\0", " ")

"""Says which jobs a search means: by id, name, text of the payload, or a value at a path. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.job import Job

_PATH = re.compile(r"data((?:\.[^.:\s]+)+):(.*)", re.DOTALL)
_BROKEN_PATH = re.compile(r"data\.[^\s:]*:|data\.\Z")
"""What begins like a path, and is none."""
_EXAMPLES = {"id": "17", "name": "submit", "error": "margin", "correlation": "order-7"}
_NAME = re.compile(r"(id|name|error|correlation):(.*)", re.DOTALL)


class Query(NamedTuple):
    """What is looked for.

    Attributes:
        kind: ``"any"``, ``"id"``, ``"name"``, ``"error"``, ``"correlation"`` or ``"path"``.
        text: what is compared, in small letters.
        path: keys and positions below the payload.
        exact: what may be an id, as it was written.
    """

    kind: str
    text: str
    path: tuple[str, ...] = ()
    exact: str = ""


def query_of(text: str) -> Query:
    """Read a search: plain text, or one thing of a job.

    That is ``data.symbol:BTCUSDT``, ``name:submit``, ``id:17``, ``error:margin`` or ``correlation:order-7``.

    Raises:
        InvalidOption: it begins like one of these, and lacks the path or what is looked for.
    """
    text = text.strip()
    if found := _PATH.fullmatch(text):
        return Query("path", found[2].strip().strip('"').lower(), tuple(found[1][1:].split(".")))
    if found := _NAME.fullmatch(text):
        if not found[2].strip():
            example = f"{found[1]}:{_EXAMPLES[found[1]]}"
            raise InvalidOption(f"a search by {found[1]} needs what to look for, as in {example}; got {text!r}")
        return Query(found[1], found[2].strip().lower(), (), found[2].strip())
    if _BROKEN_PATH.match(text):
        raise InvalidOption(
            "a search by a value of the payload is written data.PATH:VALUE, as in data.symbol:BTCUSDT or "
            f"data.legs.0.venue:XNYS; got {checks.shown(text)}"
        )
    return Query("any", text.lower(), (), text)


def matches(job: Job[Any], text: str) -> bool:
    """Say whether a job is meant by a search; an empty one means all."""
    return not text.strip() or fits(job, query_of(text))


def fits(job: Job[Any], query: Query) -> bool:
    """Say whether a job is meant by a query."""
    match query.kind:
        case "path":
            found = _at(job.data, query.path)
            return found is not _MISSING and _text(found).lower() == query.text
        case "id":
            return job.id.lower() == query.text
        case "name":
            return query.text in job.name.lower()
        case "error":
            return query.text in (job.failed_reason or "").lower()
        case "correlation":
            return job.correlation_id == query.exact
        case _:
            return (
                query.text in job.id.lower()
                or query.text in job.name.lower()
                or query.text in _text(job.data).lower()
            )


_MISSING = object()


def _at(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def text_at(value: Any, path: Sequence[str]) -> str | None:
    """Return what a search compares of the value at a path, or None where there is none."""
    found = _at(value, path)
    return None if found is _MISSING else _text(found)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return repr(value)

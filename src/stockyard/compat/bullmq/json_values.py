"""Payloads and results as ``json.dumps`` writes them, which is what the port's programs rely on."""

from __future__ import annotations

import json
from typing import Any

from stockyard.consume.executors.results import ChildResult

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_AS_THEY_ARE = frozenset((type(None), bool, int, str))


def as_json(value: Any) -> str:
    """Return JSON text.

    Raises:
        TypeError: the value has no JSON form.
        ValueError: it holds NaN or an infinite number.
    """
    return _encode(value)


def plain(value: Any) -> Any:
    """Return what a reader of the value's JSON gets: a tuple becomes a list, an enum its value.

    Raises:
        TypeError, ValueError: as ``as_json``.
    """
    return json.loads(as_json(value))


def result_of(value: Any) -> Any:
    """Return what a processor returned in a form that the engine stores as it is.

    Raises:
        TypeError, ValueError: as ``as_json``.
    """
    return value if type(value) in _AS_THEY_ARE else ChildResult(as_json(value).encode())

"""Whether a value comes back from JSON as it was: compares what was written with what a reader would get."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from enum import Enum
from typing import Any

SCALARS = frozenset({str, int, float, bool, type(None)})
"""Types that JSON gives back by itself."""

_LONG = 16


def is_plain(value: Any) -> bool:
    """Say whether a value is made of nothing but what JSON has: text, numbers, booleans, None, dicts and lists."""
    kind = type(value)
    if kind in SCALARS:
        return True
    if kind is dict:
        # Loops, not generators: this is done for each payload with a list or a dict in it.
        for key, item in value.items():
            if type(key) is not str or (type(item) not in SCALARS and not is_plain(item)):
                return False
        return True
    if kind is not list:
        return False
    if len(value) > _LONG:
        return SCALARS.issuperset(map(type, value)) or all(map(is_plain, value))
    for item in value:  # noqa: SIM110
        if type(item) not in SCALARS and not is_plain(item):
            return False
    return True


def infinite_at(value: Any, path: str) -> str | None:
    """Return the place of the first NaN or infinite number in plain values, or None."""
    match value:
        case float() if not math.isfinite(value):
            return path
        case dict():
            parts: Iterable[tuple[str, Any]] = ((f"{path}.{key}", item) for key, item in value.items())
        case list() | tuple():
            parts = ((f"{path}[{index}]", item) for index, item in enumerate(value))
        case _:
            return None
    return next((found for where, item in parts if (found := infinite_at(item, where))), None)


def difference(sent: Any, back: Any, path: str, *, converts: bool) -> str | None:
    """Return what the first part is that came back otherwise, or None.

    Args:
        sent: the value that was written.
        back: what was read.
        path: where these values stand.
        converts: a part of another type counts as the same: plain JSON became what the declared type makes of it.
    """
    if is_equal(sent, back):
        return None
    if _is_same_instant(sent, back):
        return None
    if type(sent) is not type(back):
        return None if converts else f"{path} is {_named(sent)} and would be read as {_named(back)}"
    parts = _parts(sent, back, path)
    if parts is None:
        return f"{path} is {_named(sent)} and would be read as another value"
    # A type without an equality of its own is the same when its parts are.
    return next((found for each in parts if (found := difference(*each, converts=converts))), None)


def lossy_part(value: Any, path: str, own: Callable[[Any, str], str | None]) -> str | None:
    """Return what the first part of a value is that no reader could bring back as it was, or None.

    A reader whose type is not known reads plain JSON. An object with fields counts as faithful if its own type
    reads it back as it was, because its handler can declare that type.

    Args:
        value: what was written.
        path: where it stands.
        own: returns what is lossy in an object with fields.
    """
    kind = type(value)
    if kind in SCALARS:
        return None
    if field_names(value) is not None:
        return own(value, path)
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                return f"{path} has the key {key!r} of type {type(key).__qualname__}, which would be read as text"
            if found := lossy_part(item, f"{path}.{key}", own):
                return found
        return None
    if kind in (list, tuple) or isinstance(value, list):
        parts = (lossy_part(item, f"{path}[{at}]", own) for at, item in enumerate(value))
        return next((found for found in parts if found), None)
    if isinstance(value, Enum) and isinstance(value, str | int | float):
        # Equal to its value, and of its hash.
        return None
    return f"{path} is {_named(value)}, which JSON has no form for of its own"


def field_names(value: Any) -> list[str] | None:
    """Return the fields of an object of a Struct, dataclass, model, attrs class or named tuple; else None."""
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    for attribute in ("__struct_fields__", "model_fields", "_fields", "__attrs_attrs__"):
        found = getattr(kind, attribute, None)
        if found is None or (attribute == "_fields" and not isinstance(value, tuple)):
            continue
        return [getattr(each, "name", each) for each in found]
    return None


def _parts(sent: Any, back: Any, path: str) -> list[tuple[Any, Any, str]] | None:
    if isinstance(sent, dict):
        if sent.keys() == back.keys():
            return [(item, back[key], f"{path}.{key}") for key, item in sent.items()]
        keys = _pairs(sent, back)
        return None if keys is None else [(sent[a], back[b], f"{path}.{a}") for a, b in keys]
    if isinstance(sent, set | frozenset):
        return None if _pairs(sent, back) is None else []
    names = field_names(sent)
    if names is not None:
        # What a pydantic model holds beside its fields.
        beside = [name for name in ("__pydantic_extra__", "__pydantic_private__") if hasattr(sent, name)]
        return [
            (getattr(sent, name, None), getattr(back, name, None), f"{path}.{name}") for name in [*names, *beside]
        ]
    if isinstance(sent, list | tuple):
        if len(sent) != len(back):
            return None
        return [(a, b, f"{path}[{at}]") for at, (a, b) in enumerate(zip(sent, back, strict=True))]
    return None


def is_equal(one: Any, other: Any) -> bool:
    """Compare two values; a comparison that fails finds them different."""
    try:
        return bool(one == other)
    except Exception:  # the type's own comparison is the user's code
        return False


def _is_same_instant(one: Any, other: Any) -> bool:
    """Say whether two datetimes with zones are one moment, also in the hour that a zone repeats or leaves out.

    Such a datetime is unequal to every one of another zone (PEP 495), and JSON brings back offsets, not zones.
    """
    if (
        not (isinstance(one, datetime) and isinstance(other, datetime))
        or one.tzinfo is None
        or other.tzinfo is None
    ):
        return False
    try:
        return one.astimezone(UTC) == other.astimezone(UTC)
    except OverflowError:
        return False


def _pairs(sent: Collection[Any], back: Collection[Any]) -> list[tuple[Any, Any]] | None:
    """Return the hashable values of both that are the same when datetimes are moments; None if some are alone."""
    try:
        of_sent, of_back = ({_comparable(value): value for value in values} for values in (sent, back))
    except (TypeError, OverflowError):
        return None
    # Two that are one moment in two zones would be one value for the reader.
    if of_sent.keys() != of_back.keys() or len(of_sent) != len(sent):
        return None
    return [(value, of_back[key]) for key, value in of_sent.items()]


def _comparable(value: Any) -> Any:
    """Return what a hashable value equals when its datetimes, at any depth, are moments."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if (names := field_names(value)) is not None:
        return (type(value), *(_comparable(getattr(value, name, None)) for name in names))
    if isinstance(value, tuple):
        return tuple(map(_comparable, value))
    return frozenset(map(_comparable, value)) if isinstance(value, frozenset) else value


def _named(value: Any) -> str:
    name = type(value).__qualname__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"

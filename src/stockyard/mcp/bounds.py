"""Keeps what a tool returns small and free of secrets, whatever jobs hold (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from stockyard.model.masking import mask_value

TEXT, ITEMS, DEPTH = 1_000, 50, 8
"""Characters of one text, members of one list or mapping, and mappings within each other, at most."""

REPLY = 60_000
"""Bytes of one reply at most, as JSON."""


def shown(value: Any, *, text: int = TEXT) -> Any:
    """Return plain data with its secrets masked, and with long texts, lists and mappings cut.

    Args:
        value: anything that JSON has.
        text: characters that are left of a text.
    """
    return _cut(mask_value(value), text, DEPTH)


def _cut(value: Any, text: int, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= text else f"{value[:text]}… ({len(value) - text:,} more characters)"
    if isinstance(value, Mapping):
        if depth == 0:
            return f"({len(value):,} members)"
        # What comes first is a name, as a long text in its place may be one by mistake.
        found = {
            _cut(str(key), 100, 0): _cut(inner, text, depth - 1) for key, inner in islice(value.items(), ITEMS)
        }
        return found if len(value) <= ITEMS else {**found, "…": f"{len(value) - ITEMS:,} more members"}
    if isinstance(value, (list, tuple)):
        if depth == 0:
            return f"({len(value):,} items)"
        rows = [_cut(inner, text, depth - 1) for inner in value[:ITEMS]]
        return rows if len(value) <= ITEMS else [*rows, f"… {len(value) - ITEMS:,} more items"]
    return value


def fitting(rows: Iterable[Any], *, room: int = REPLY) -> tuple[list[Any], int]:
    """Return the first rows that fit into a reply, and how many are left out.

    Args:
        rows: of ``shown``.
        room: bytes of their JSON.
    """
    listed: Sequence[Any] = list(rows)
    found: list[Any] = []
    for row in listed:
        room -= len(msgspec.json.encode(row)) + 2
        if room < 0:
            break
        found.append(row)
    return found, len(listed) - len(found)

"""Reads numbers that another program may have written."""

from __future__ import annotations


def whole(text: bytes | str | None) -> int | None:
    """Read a number of a foreign record; None for what is none, or has more than 64 bits."""
    try:
        found = None if text is None else int(text)
    except ValueError:
        return None
    return found if found is not None and -(2**63) <= found < 2**63 else None

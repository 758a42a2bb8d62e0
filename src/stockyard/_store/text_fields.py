"""Reads fields and values as the server sends them, one behind the other."""

from __future__ import annotations

from collections.abc import Sequence


def text_fields(flat: Sequence[bytes]) -> dict[str, str]:
    """Return values by name, both as text; what is no UTF-8 is replaced."""
    texts = [each.decode(errors="replace") for each in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))

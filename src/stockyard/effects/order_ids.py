"""Client order ids that are the same in every attempt."""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import Any

import msgspec

from stockyard.model import checks

_LENGTH = 26


def order_id(strategy: str, signal: Any, leg: Any = 0) -> str:
    """Return a client order id: 26 characters A to Z and 2 to 7, the same for the same order.

    It is made of what the order is about, never of the attempt: an id that each attempt makes for itself defeats
    every de-duplication. Kraken's spot API takes 18 characters or a UUID: see ``order_uuid``.

    Args:
        strategy: which strategy orders.
        signal: what names the signal: text or a number.
        leg: which of the signal's orders. Defaults to 0.

    Raises:
        InvalidOption: the strategy is no text.
        TypeError: the signal or the leg is no JSON value.
    """
    return base64.b32encode(_digest(strategy, signal, leg)).decode()[:_LENGTH]


def order_uuid(strategy: str, signal: Any, leg: Any = 0) -> str:
    """Return a client order id in the form of a UUID, the same for the same order; see ``order_id``."""
    return str(uuid.UUID(bytes=_digest(strategy, signal, leg)[:16], version=5))


def _digest(strategy: str, signal: Any, leg: Any) -> bytes:
    # As JSON, or ("a", "bc") and ("ab", "c") would name one order.
    parts = [checks.text("strategy", strategy), signal, leg]
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).digest()

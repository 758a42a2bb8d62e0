"""Which ids a producer may give its jobs."""

from __future__ import annotations

from typing import Any

from stockyard.errors import InvalidOption
from stockyard.model import checks

LONGEST_ID = 200
"""Characters of a custom id."""

RESERVED_IDS = frozenset(
    "id wait prioritized active delayed waiting-children completed failed paused meta events marker pc "
    "stalled stalled-check limiter repeat de dn metrics priority delay".split()
)
"""Ids that would name one of the queue's own keys."""

_SUB_KEYS = frozenset("lock logs dependencies processed failed unsuccessful".split())


def checked_job_id(value: Any) -> str:
    """Return a custom id that every peer accepts.

    Raises:
        InvalidOption: it is empty or too long, looks like an integer, names one of the queue's keys, or has colons
            other than the two that BullMQ allows.
    """
    if len(checks.text("job_id", value)) > LONGEST_ID:
        raise InvalidOption(
            f"job_id must have at most {LONGEST_ID} characters; got {len(value)}: {checks.shown(value)}"
        )
    if value.lstrip("-").isdigit():
        raise InvalidOption(
            f"job_id must not look like an integer, because the queue numbers its own jobs so; got {value!r}: "
            f"write for example 'order-{value}'"
        )
    first, *parts = value.split(":")
    if (first in RESERVED_IDS) or (parts and (first in ("0", "") or parts[-1] in _SUB_KEYS)):
        raise InvalidOption(f"job_id {value!r} names one of the queue's own keys; choose another")
    if parts and len(parts) != 2:
        raise InvalidOption(
            "job_id must not contain ':', which separates the parts of a key, except in three parts, as BullMQ "
            f"allows it; got {value!r}"
        )
    return str(value)

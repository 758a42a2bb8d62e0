"""What the headers of an exchange's reply say: its own counts, and for how long to wait."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from stockyard.model.limits import Limits

Headers = Mapping[str, str]


def counts_of(limits: Limits, headers: Headers) -> dict[str, dict[str, float]]:
    """Return what the exchange has counted: limit -> ``{"used": …}`` or ``{"left": …}``.

    Args:
        limits: name the headers.
        headers: of a reply; what is no number is left out.
    """
    given = _lowered(headers)
    counts: dict[str, dict[str, float]] = {}
    for limit in limits.limits:
        for what, name in (("used", limit.used_header), ("left", limit.left_header)):
            number = _number(given.get(name.lower())) if name else None
            if number is not None:
                counts[limit.name] = {what: number}
    return counts


def retry_after(headers: Headers, now: float) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, or None without one that can be read.

    Args:
        headers: of a reply.
        now: seconds since the epoch, for a header that gives a date.
    """
    text = _lowered(headers).get("retry-after", "").strip()
    number = _number(text)
    if number is not None:
        return number
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _lowered(headers: Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None

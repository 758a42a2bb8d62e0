"""Durations as people write them (``"5m"``, a timedelta, seconds), as integer milliseconds."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache

from stockyard.errors import InvalidOption

Duration = str | int | float | timedelta
"""``"250ms"``, ``"5m"``, ``"1h30m"``, a timedelta, or a number of seconds."""

LONGEST = 100 * 365 * 86_400_000
"""Milliseconds of the longest duration, a hundred years: far below what a double holds exactly."""

SHORTEST_LEASE = 100
"""Milliseconds; a shorter lease could run out between two of its renewals."""

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+")


def milliseconds(value: Duration, *, option: str) -> int:
    """Convert a duration to integer milliseconds.

    Args:
        value: text of numbers with units ms, s, m, h, d, w; a timedelta; or seconds.
        option: the option's name, for the error message.

    Raises:
        InvalidOption: the value is no duration, is negative or longer than a hundred years.
    """
    match value:
        case bool():
            pass
        case timedelta():
            return _checked(value.total_seconds() * 1000, value, option)
        case int() | float():
            return _checked(value * 1000, value, option)
        case str() if (amount := _amount_of(value)) is not None:
            return _checked(amount, value, option)
    raise InvalidOption(
        f"{option} must be a duration: seconds, a timedelta, or text such as '250ms', '30s', '5m', '1h30m'; "
        f"got {value!r}"
    )


@lru_cache(maxsize=256)
def _amount_of(text: str) -> float | None:
    """Return the milliseconds of a text, None if it is no duration; a handler writes the same for each job."""
    given = text.replace(" ", "")
    if not _WHOLE.fullmatch(given):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(given))


def _checked(amount: float, value: object, option: str) -> int:
    if not 0 <= amount <= LONGEST:
        raise InvalidOption(f"{option} must not be negative or longer than 100 years; got {value!r}")
    return round(amount)

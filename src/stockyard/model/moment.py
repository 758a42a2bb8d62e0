"""Points in time as programs give them, as integer milliseconds since the epoch."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from stockyard.errors import InvalidOption

LATEST = 253_402_300_799_999
"""The last millisecond of the year 9999, which is the last that a datetime can have."""

Moment = datetime | int
"""A time: a datetime with a zone, or milliseconds since the epoch."""


def moment_ms(value: Any, *, option: str) -> int:
    """Convert a moment to milliseconds since the epoch.

    Raises:
        InvalidOption: it is neither, too late, or a datetime without a zone, which means another time on each
            machine.
    """
    match value:
        case datetime() if value.tzinfo is not None:
            return round(value.timestamp() * 1000)
        case datetime():
            raise InvalidOption(
                f"{option} must be a datetime with a zone, as datetime.now(UTC) or value.astimezone() give; "
                f"got {value!r}, which has none"
            )
        case int() if not isinstance(value, bool) and 0 < value <= LATEST:
            return value
    raise InvalidOption(
        f"{option} must be a datetime with a zone, or milliseconds since the epoch, up to the year 9999; "
        f"got {value!r}"
    )

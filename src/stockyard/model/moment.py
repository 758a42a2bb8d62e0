"""Points in time as programs give them, as integer milliseconds since the epoch."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from stockyard.errors import InvalidOption

Moment = datetime | int
"""A time: a datetime with a zone, or milliseconds since the epoch."""


def moment_ms(value: Any, *, option: str) -> int:
    """Convert a moment to milliseconds since the epoch.

    Raises:
        InvalidOption: it is neither, or a datetime without a zone, which means another time on each machine.
    """
    match value:
        case datetime() if value.tzinfo is not None:
            return round(value.timestamp() * 1000)
        case datetime():
            raise InvalidOption(
                f"{option} must be a datetime with a zone, as datetime.now(UTC) or value.astimezone() give; "
                f"got {value!r}, which has none"
            )
        case int() if not isinstance(value, bool) and value > 0:
            return value
    raise InvalidOption(f"{option} must be a datetime with a zone, or milliseconds since the epoch; got {value!r}")

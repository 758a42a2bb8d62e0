"""A window limit: so many jobs started per so many milliseconds, over all workers."""

from __future__ import annotations

import re

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.duration import milliseconds

_TEXT = re.compile(r"(\d+)\s*/\s*(.+)")
_BARE_UNIT = re.compile(r"(?:ms|s|m|h|d|w)")


class Rate(msgspec.Struct, frozen=True):
    """At most ``max`` jobs start in each window of ``duration_ms`` (BullMQ's fixed window limiter)."""

    max: int
    duration_ms: int

    @classmethod
    def of(cls, value: Rate | str) -> Rate:
        """Read ``"100/s"``, ``"6000/1m"``, ``"5/10s"``.

        Raises:
            InvalidOption: it is no rate.
        """
        if isinstance(value, Rate):
            checks.whole("the max of rate", value.max, least=1)
            checks.whole("the duration_ms of rate", value.duration_ms, least=1)
            return value
        match = _TEXT.fullmatch(value) if isinstance(value, str) else None
        if match:
            window = f"1{match[2]}" if _BARE_UNIT.fullmatch(match[2]) else match[2]
            try:
                rate = cls(int(match[1]), milliseconds(window, option="rate"))
            except InvalidOption:
                rate = cls(0, 0)
            if rate.max > 0 and rate.duration_ms > 0:
                return rate
        raise InvalidOption(f"rate must be jobs per time, as in '100/s' or '6000/1m'; got {value!r}")

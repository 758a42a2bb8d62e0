"""The rule of a schedule as BullMQ writes it: in its record, and in ``opts.repeat`` of each of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from stockyard.model.schedule import Timing


def rule_of(timing: Timing) -> dict[str, Any]:
    """Return the fields of ``opts.repeat`` but the count; what is not set is left out, never null."""
    fields = {
        "every": timing.every_ms,
        "pattern": timing.cron,
        "tz": timing.tz,
        "offset": timing.offset_ms,
        "limit": timing.limit,
        "startDate": timing.start,
        "endDate": timing.end,
        **own_rule_of(timing),
    }
    return {name: value for name, value in fields.items() if value is not None}


def own_rule_of(timing: Timing) -> dict[str, str]:
    """Return what BullMQ does not know: a peer keeps these fields of a run, and goes by its pattern."""
    if timing.calendar is None:
        return {}
    if timing.session is not None:
        return {"calendar": timing.calendar, "session": timing.session}
    return {"calendar": timing.calendar, "during": timing.during}


def timing_of_rule(rule: Any) -> tuple[Timing, int]:
    """Read ``opts.repeat`` that any peer wrote: the rule, and the number of the run.

    Raises:
        ValueError: it says neither how often nor a pattern, or a field is of a wrong type.
    """
    # As in the options, a text that is a number counts as one.
    found = msgspec.convert(rule, _Rule, strict=False)
    timing = Timing(
        every_ms=int(found.every) if found.every else None,
        cron=found.pattern or None,
        tz=found.tz or None,
        offset_ms=int(found.offset) if found.offset is not None and found.every else None,
        limit=int(found.limit) if found.limit is not None else None,
        start=_moment(found.startDate),
        end=_moment(found.endDate),
        calendar=found.calendar or None,
        during=found.during or "days",
        session=found.session or None,
    )
    if timing.every_ms is None and timing.cron is None:
        raise ValueError("it holds neither 'every' nor 'pattern'")
    return timing, int(found.count or 0)


def timing_of_record(fields: Sequence[bytes | None], own: Sequence[bytes | None] = (None, None, None)) -> Timing:
    """Read every, pattern, tz, offset, limit, startDate, endDate of a record; odd ones count as unset.

    Args:
        fields: these, in that order.
        own: calendar, during and session, which Stockyard alone writes.
    """
    every, pattern, tz, offset, limit, start, end = fields
    calendar, during, session = (each.decode(errors="replace") if each else None for each in own)
    return Timing(
        every_ms=whole(every),
        cron=pattern.decode(errors="replace") if pattern else None,
        tz=tz.decode(errors="replace") if tz else None,
        # A record of a pattern holds an offset too, which says nothing.
        offset_ms=whole(offset) if every else None,
        limit=whole(limit),
        start=whole(start),
        end=whole(end),
        calendar=calendar,
        during=during or "days",
        session=session,
    )


def whole(text: bytes | None) -> int | None:
    """Read a number field, or None when there is none."""
    try:
        return int(float(text or b""))
    except (ValueError, OverflowError):
        return None


class _Rule(msgspec.Struct):
    every: float | None = None
    pattern: str | None = None
    tz: str | None = None
    offset: float | None = None
    limit: float | None = None
    count: float | None = None
    startDate: float | str | None = None  # noqa: N815
    endDate: float | str | None = None  # noqa: N815
    calendar: str | None = None
    during: str | None = None
    session: str | None = None


def _moment(value: float | str | None) -> int | None:
    if isinstance(value, str):
        # BullMQ 5 kept dates as they were given.
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    return int(value) if value else None

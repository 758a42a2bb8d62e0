"""Trading calendars: on which days an exchange trades, and from when to when."""

from __future__ import annotations

import warnings
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from stockyard.errors import InvalidOption
from stockyard.model.duration import milliseconds

_LONGEST_OFFSET = 12 * 3_600_000
"""Milliseconds. Past this, an offset from the open of one session reaches into the next."""


class SessionRule(NamedTuple):
    """One time in each session: so many milliseconds from its open or its close."""

    edge: Literal["open", "close"]
    offset_ms: int

    @classmethod
    def parse(cls, text: Any) -> SessionRule:
        """Read ``"open"``, ``"open+15m"``, ``"close-30s"``.

        Raises:
            InvalidOption: it is none of these, or more than twelve hours away.
        """
        if isinstance(text, str):
            for edge in ("open", "close"):
                rest = text.removeprefix(edge)
                if rest == text:
                    continue
                if not rest:
                    return cls(edge, 0)
                if rest[0] in "+-":
                    length = milliseconds(rest[1:], option="session")
                    if length <= _LONGEST_OFFSET:
                        return cls(edge, -length if rest[0] == "-" else length)
        raise InvalidOption(
            "session must be 'open' or 'close', with at most 12h added or taken away, "
            f"as in 'open+15m' or 'close-5m'; got {text!r}"
        )


class TradingCalendar:
    """The sessions of an exchange over three years; times are milliseconds since the epoch.

    Args:
        code: as ``exchange_calendars`` names it.
        zone: the exchange's own.
        days: dates of its sessions, in order.
        opens, closes: when each begins and ends.
        pauses: from when to when each is interrupted, or None.
    """

    def __init__(
        self,
        code: str,
        zone: ZoneInfo,
        days: Sequence[date],
        opens: Sequence[int],
        closes: Sequence[int],
        pauses: Sequence[tuple[int, int] | None],
    ) -> None:
        self.code = code
        self.zone = zone
        self._days = days
        self._dates = frozenset(days)
        self._edges = {"open": opens, "close": closes}
        self._pauses = pauses

    @property
    def last_day(self) -> date:
        """The last day that is known."""
        return self._days[-1]

    def admits(self, moment: int, during: Literal["days", "hours"]) -> bool:
        """Say whether that time is on a trading day, or within a session: from its open, before its close."""
        if during == "days":
            return self._date_of(moment) in self._dates
        at = bisect_right(self._edges["open"], moment) - 1
        if at < 0 or moment >= self._edges["close"][at]:
            return False
        pause = self._pauses[at]
        return pause is None or not pause[0] <= moment < pause[1]

    def next_admitted(self, moment: int, during: Literal["days", "hours"]) -> int:
        """Return where the next stretch begins that is admitted, for a time that is not.

        Raises:
            InvalidOption: none is known after that time.
        """
        if during == "days":
            at = bisect_right(self._days, self._date_of(moment))
            if at == len(self._days):
                raise self._ends()
            day = self._days[at]
            return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()) * 1000
        at = bisect_right(self._edges["open"], moment) - 1
        if at >= 0 and (pause := self._pauses[at]) and pause[0] <= moment < pause[1]:
            return pause[1]
        if at + 1 == len(self._days):
            raise self._ends()
        return self._edges["open"][at + 1]

    def next_session(self, rule: SessionRule, after: int) -> int:
        """Return when the rule comes next, strictly after that time.

        Raises:
            InvalidOption: no session is known after it.
        """
        edges = self._edges[rule.edge]
        at = bisect_right(edges, after - rule.offset_ms)
        if at == len(edges):
            raise self._ends()
        return edges[at] + rule.offset_ms

    def has_session(self, rule: SessionRule, moment: int) -> bool:
        """Say whether the rule comes at that time."""
        edges = self._edges[rule.edge]
        at = bisect_left(edges, moment - rule.offset_ms)
        return at < len(edges) and edges[at] == moment - rule.offset_ms

    def usual_pattern(self, rule: SessionRule) -> str:
        """Return the cron pattern, in the exchange's zone, of the days and the time at which it mostly comes.

        It is what a peer goes by that knows no calendars.
        """
        moments = [
            datetime.fromtimestamp((edge + rule.offset_ms) / 1000, self.zone) for edge in self._edges[rule.edge]
        ]
        times = Counter((each.second, each.minute, each.hour) for each in moments)
        ((second, minute, hour), _) = times.most_common(1)[0]
        weekdays = ",".join(map(str, sorted({each.isoweekday() % 7 for each in moments})))
        return f"{second} {minute} {hour} * * {weekdays}"

    def _date_of(self, moment: int) -> date:
        return datetime.fromtimestamp(moment / 1000, self.zone).date()

    def _ends(self) -> InvalidOption:
        return InvalidOption(
            f"the calendar {self.code} is known until {self.last_day}; a newer exchange_calendars may know more"
        )


def trading_calendar(code: str, moment: int) -> TradingCalendar:
    """Return an exchange's calendar of the years around a time.

    Raises:
        InvalidOption: there is no such calendar, it is not known for that time, or its package is missing.
    """
    found = _calendar(code, datetime.fromtimestamp(moment / 1000, UTC).year)
    if found.last_day < datetime.fromtimestamp(moment / 1000, UTC).date() - timedelta(days=1):
        raise found._ends()
    return found


@lru_cache(maxsize=64)
def _calendar(code: str, year: int) -> TradingCalendar:
    # Imported late: it brings pandas with it, which costs a second and a hundred megabytes.
    try:
        import exchange_calendars
    except ImportError as error:
        raise InvalidOption(
            f"calendar={code!r} needs the package exchange_calendars: pip install 'stockyard[calendars]'"
        ) from error
    start, end = f"{year - 1}-01-01", f"{year + 1}-12-31"
    with warnings.catch_warnings():
        # It uses what newer versions of pandas warn of.
        warnings.simplefilter("ignore")
        try:
            known = exchange_calendars.get_calendar(code, start=start, end=end)
        except exchange_calendars.errors.InvalidCalendarName as error:
            raise InvalidOption(
                f"there is no calendar {code!r}; expected a code of exchange_calendars, such as 'XNYS' or 'XLON'"
            ) from error
        except ValueError:
            # Holidays of some countries are announced year by year.
            known = exchange_calendars.get_calendar(code, start=start)
        return _read(code, known)


def _read(code: str, known: Any) -> TradingCalendar:
    return TradingCalendar(
        code,
        ZoneInfo(str(known.tz)),
        [each.date() for each in known.sessions],
        _milliseconds(known.opens),
        _milliseconds(known.closes),
        [
            None if start is None or end is None else (start, end)
            for start, end in zip(_milliseconds(known.break_starts), _milliseconds(known.break_ends), strict=True)
        ],
    )


def _milliseconds(times: Any) -> list[Any]:
    """Convert a column of UTC times; None where there is none."""
    return [None if each != each else int(each.timestamp() * 1000) for each in times]

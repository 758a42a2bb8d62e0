"""A schedule: when its runs come, and what is to become of those that are missed or overlap."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal, get_args

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.moment import Moment, moment_ms
from stockyard.model.options import JobOptions

Misfire = Literal["run_once", "skip", "run_all"]
"""What becomes of runs whose time passed while no worker was there: one late run, none, or all of them."""

Overlap = Literal["allow", "skip"]
"""What a run does while an earlier one is still going on: run beside it, or end at once."""

During = Literal["days", "hours"]
"""What a calendar lets a pattern keep: all times of its trading days, or those at which the exchange is open."""

_LONGEST_ID = 200
_LONGEST_SEARCH = 5 * 366 * 86_400_000
"""Milliseconds. A pattern with no time in its calendar by then, as new year on trading days, never comes."""

_LATE = 60_000
"""Milliseconds after its time from which a run counts as missed, unless the next one comes sooner."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """When runs come; exactly one of ``every_ms`` and ``cron`` is set.

    Attributes:
        every_ms: time between two runs.
        cron: pattern with 5 fields, or 6 with seconds in front.
        tz: IANA zone of the pattern; None is that of the machine that reads it.
        offset_ms: how far the runs of ``every_ms`` lie behind its multiples; None follows the first run.
        limit: runs in all, or None.
        start, end: no run before and none after, in ms since the epoch, or None.
        calendar: code of the exchange whose trading days or hours the pattern keeps to, or None.
        during: ``"days"`` or ``"hours"`` of the calendar.
        session: the one time in each session of the calendar at which runs come, as in ``"open+15m"``, or None.
            The pattern is then what peers go by that know no calendars.
    """

    every_ms: int | None = None
    cron: str | None = None
    tz: str | None = None
    offset_ms: int | None = None
    limit: int | None = None
    start: int | None = None
    end: int | None = None
    calendar: str | None = None
    during: str = "days"
    session: str | None = None

    def cron_after(self, moment: int) -> int | None:
        """Return the next time after that one and the start, of the pattern or the session; None past the end.

        Raises:
            InvalidOption: the pattern, the zone or the calendar cannot be read.
        """
        after = max(moment, self.start or 0)
        found = self._in_calendar(after) if self.calendar else self._of_pattern(after)
        return None if found is None or (self.end is not None and found > self.end) else found

    def why_never(self, now: int) -> str:
        """Return why no run is to come after a time at which none is, for people.

        Raises:
            InvalidOption: the pattern, the zone or the calendar cannot be read.
        """
        endless = msgspec.structs.replace(self, end=None)
        if self.calendar is None or endless.cron_after(now) is not None:
            return "it ends before its first run"
        kept = "trading days" if self.during == "days" else "trading hours"
        zone = self.tz or "the zone of this machine"
        return f"no time of the pattern {self.cron!r}, in {zone}, falls into the {kept} of {self.calendar}"

    def admits(self, moment: int) -> bool:
        """Say whether the calendar has a run at that time; true without one.

        Raises:
            InvalidOption: the calendar cannot be read.
        """
        if self.calendar is None:
            return True
        from stockyard.model.trading_calendar import SessionRule, trading_calendar

        known = trading_calendar(self.calendar, moment)
        if self.session is not None:
            return known.has_session(SessionRule.parse(self.session), moment)
        return known.admits(moment, self._during)

    @property
    def _during(self) -> During:
        return "hours" if self.during == "hours" else "days"

    def _of_pattern(self, after: int) -> int | None:
        # Imported late: time zones are a cost that a process without patterns need not pay at its start.
        from stockyard.model.cron import cron_pattern, zone_of

        return cron_pattern(self.cron or "").next(after, zone_of(self.tz))

    def _in_calendar(self, after: int) -> int | None:
        from stockyard.model.trading_calendar import SessionRule, trading_calendar

        assert self.calendar is not None
        if self.session is not None:
            return trading_calendar(self.calendar, after).next_session(SessionRule.parse(self.session), after)
        found = self._of_pattern(after)
        while found is not None and found - after < _LONGEST_SEARCH and not self._is_past(found):
            known = trading_calendar(self.calendar, found)
            if known.admits(found, self._during):
                return found
            # From there on, and not run by run through a closed weekend.
            found = self._of_pattern(known.next_admitted(found, self._during) - 1)
        return None

    def _is_past(self, moment: int) -> bool:
        return self.end is not None and moment > self.end

    def after(self, moment: int) -> int | None:
        """Return the time that follows a run's own."""
        return moment + self.every_ms if self.every_ms else self.cron_after(moment)

    def is_missed(self, due: int, now: int) -> bool:
        """Say whether a run of that time that starts now comes too late to count as in time."""
        if now - due <= 1000:
            return False
        following = self.after(due)
        return now - due > _LATE or (following is not None and now >= following)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as it was when it was read.

    Attributes:
        id: its name in its queue.
        queue: name of the queue.
        job_name: name of its jobs.
        data: their payload.
        options: their options.
        timing: when they come.
        next_run: time of the next run in ms since the epoch; of a schedule that has ended, that of the last.
        next_job_id: id of that run.
        has_next: whether a run is to come: the one at ``next_run``.
        run_number: which run of the limit the next one is, from 1.
        runs_made: how many runs were made so far, the next one included.
        misfire, overlap: what becomes of missed and of overlapping runs.
        is_legacy: it is a repeatable job of BullMQ 5.
    """

    id: str
    queue: str
    job_name: str
    data: Any
    options: JobOptions
    timing: Timing
    next_run: int
    next_job_id: str
    has_next: bool
    run_number: int
    runs_made: int
    misfire: Misfire = "run_once"
    overlap: Overlap = "allow"
    is_legacy: bool = False

    def upcoming(self, count: int) -> tuple[int, ...]:
        """Return the times of the next runs, at most so many, in ms since the epoch; none when none is to come."""
        if not self.has_next:
            return ()
        left = count if self.timing.limit is None else min(count, self.timing.limit - self.run_number + 1)
        return tuple(islice(self._times(), max(left, 0)))

    def _times(self) -> Iterator[int]:
        moment: int | None = self.next_run
        while moment is not None and (self.timing.end is None or moment <= self.timing.end):
            yield moment
            moment = self.timing.after(moment)


def checked_timing(
    *,
    every: Duration | None,
    cron: str | None,
    tz: str | None,
    offset: Duration | None,
    limit: int | None,
    start: Moment | None,
    end: Moment | None,
    immediately: bool,
    calendar: str | None = None,
    during: str | None = None,
    session: str | None = None,
) -> Timing:
    """Check what a schedule was given; the arguments are those of ``Schedules.upsert``.

    Raises:
        InvalidOption: one is out of its range, or two exclude each other.
    """
    if cron is None and calendar is not None and session is None:
        raise InvalidOption(f"a calendar belongs to a cron pattern or a session; got calendar={calendar!r} alone")
    if session is not None:
        _refuse_beside_session(calendar, {"every": every, "cron": cron, "tz": tz, "during": during})
    elif every is None and cron is None:
        raise InvalidOption("a schedule needs either every or cron, or a calendar and session; got none")
    if every is not None and cron is not None:
        raise InvalidOption(f"a schedule needs either every or cron, not both; got every={every!r}, cron={cron!r}")
    every_ms = None if every is None else checks.positive_ms("every", every)
    if during is not None and calendar is None:
        raise InvalidOption(f"during belongs to a calendar; got during={during!r} and none")
    if cron is None and tz is not None:
        raise InvalidOption("tz belongs to a cron pattern; every counts the same in all zones")
    offset_ms = None if offset is None else milliseconds(offset, option="offset")
    if offset_ms is not None and (every_ms is None or offset_ms >= every_ms):
        raise InvalidOption(
            f"offset belongs to every and is shorter than it; got every={every!r}, offset={offset!r}"
        )
    if immediately and (every is not None or start is not None or calendar is not None):
        raise InvalidOption(
            "immediately belongs to a cron pattern without a start and a calendar; every begins at once by itself"
        )
    timing = Timing(
        every_ms=every_ms,
        cron=cron,
        tz=tz,
        offset_ms=offset_ms,
        limit=None if limit is None else checks.whole("limit", limit, least=1),
        start=None if start is None else moment_ms(start, option="start"),
        end=None if end is None else moment_ms(end, option="end"),
    )
    if cron is not None:
        if not isinstance(cron, str):
            raise InvalidOption(f"cron must be a pattern as text, such as '0 3 * * *'; got {cron!r}")
        from stockyard.model.cron import cron_pattern, zone_of

        cron_pattern(cron)
        zone_of(tz)
    return (
        timing
        if calendar is None
        else _with_calendar(timing, calendar, "days" if during is None else during, session)
    )


def _refuse_beside_session(calendar: str | None, others: Mapping[str, object]) -> None:
    if calendar is None:
        raise InvalidOption("session needs the calendar of an exchange, as in calendar='XNYS'")
    for name, value in others.items():
        if value is not None:
            raise InvalidOption(f"session says when runs come by itself: leave {name} out; got {name}={value!r}")


def _with_calendar(timing: Timing, code: Any, during: str, session: str | None) -> Timing:
    """Check the calendar by reading it; a session gets the pattern that comes nearest to it."""
    # Imported late, as it costs a second and much memory where a calendar is used.
    from stockyard.model.trading_calendar import SessionRule, trading_calendar

    checks.text("calendar", code)
    checks.one_of("during", during, get_args(During))
    rule = None if session is None else SessionRule.parse(session)
    known = trading_calendar(code, int(time.time() * 1000))
    if rule is None:
        return msgspec.structs.replace(timing, calendar=code, during=during)
    return msgspec.structs.replace(
        timing, calendar=code, session=session, cron=known.usual_pattern(rule), tz=known.zone.key
    )


def checked_policies(misfire: Any, overlap: Any) -> tuple[Misfire, Overlap]:
    """Check the policies.

    Raises:
        InvalidOption: one is not known.
    """
    return (
        checks.one_of("misfire", misfire, get_args(Misfire)),
        checks.one_of("overlap", overlap, get_args(Overlap)),
    )


def checked_schedule_id(value: Any) -> str:
    """Return an id that every peer accepts.

    Raises:
        InvalidOption: it is empty or too long, or would name a run of another schedule.
    """
    checks.text("a schedule's id", value, longest=_LONGEST_ID)
    if value.rpartition(":")[2].isdigit() and ":" in value:
        raise InvalidOption(
            f"a schedule's id must not end with ':' and a number, as its runs' ids do; got {value!r}"
        )
    return str(value)

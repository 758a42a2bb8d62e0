"""A schedule as a program declares it, checked before any worker starts."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import UNSET

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.duration import Duration
from stockyard.model.moment import Moment
from stockyard.model.options import KNOWN_OPTIONS, JobOptions, RunOptions
from stockyard.model.schedule import (
    During,
    Misfire,
    Overlap,
    Timing,
    checked_policies,
    checked_schedule_id,
    checked_timing,
)


class ScheduleOptions(RunOptions, total=False):
    """What ``Schedules.upsert`` and ``QueueSpec.schedule`` take: these, and the options of every run.

    Keys:
        every: time between two runs; the first comes at once unless ``offset`` or ``start`` say otherwise.
        cron: pattern with 5 fields, or 6 with seconds in front, instead of ``every``.
        tz: IANA zone of the pattern. Defaults to the zone of the machine that reads it, as on Node: name it.
        calendar: code of an exchange, as in ``"XNYS"``, whose days or hours the pattern keeps to; it needs the
            extra ``calendars``, here and in the workers. Defaults to none.
        during: ``"days"`` keeps the pattern's times on trading days, ``"hours"`` those while the exchange is
            open. Defaults to ``"days"``.
        session: one time in each session of the calendar instead of a pattern: ``"open+15m"``, ``"close-5m"``;
            half days have an earlier close.
        offset: how far runs lie behind the multiples of ``every``; 0 is on them. Defaults to where the first run
            falls.
        limit: runs in all, over every change and restart. Defaults to no limit.
        start, end: no run before and none after: datetimes with a zone, or ms since the epoch.
        immediately: make the first run of a pattern now. Defaults to False.
        misfire: what becomes of runs that were missed: ``"run_once"`` makes one of them late, ``"skip"`` makes
            none, ``"run_all"`` makes up for all, one after the other. Defaults to ``"run_once"``.
        overlap: ``"skip"`` lets a run end at once while an earlier one goes on. Defaults to ``"allow"``.
        name: chooses the handler. Defaults to the schedule's id.
        data: payload of every run; None is ``null``. Defaults to an empty object.
        check: refuse a name or a payload that the queue's declared handlers do not take, as ``Queue.add`` does.
            Defaults to what the queue declares.
    """

    every: Duration | None
    cron: str | None
    tz: str | None
    calendar: str | None
    during: During | None
    session: str | None
    offset: Duration | None
    limit: int | None
    start: Moment | None
    end: Moment | None
    immediately: bool
    misfire: Misfire
    overlap: Overlap
    name: str | None
    data: Any
    check: bool | None


_KNOWN = tuple(ScheduleOptions.__annotations__)
_NOT_FOR_RUNS = tuple(name for name in KNOWN_OPTIONS if name not in _KNOWN)


class ScheduleDeclaration(msgspec.Struct, frozen=True):
    """A schedule that is wanted: all of it that does not depend on the time is checked.

    Attributes:
        id: its name in its queue.
        job_name: chooses the handler.
        data: payload of every run, or UNSET for an empty object.
        check: whether name and payload must fit the declared handlers; None is what the queue declares.
        timing: when runs come.
        immediately: whether the first run of a pattern comes now.
        misfire, overlap: what becomes of missed and of overlapping runs.
        options: those of every run that differ from the queue's defaults.
    """

    id: str
    job_name: str
    data: Any
    check: bool | None
    timing: Timing
    immediately: bool
    misfire: Misfire
    overlap: Overlap
    options: RunOptions

    @classmethod
    def of(cls, schedule_id: str, options: ScheduleOptions) -> ScheduleDeclaration:
        """Check a schedule's id and options.

        Raises:
            InvalidOption: an option is not known, belongs to single jobs or is out of its range.
        """
        identity = checked_schedule_id(schedule_id)
        for name in options:
            if name in _NOT_FOR_RUNS:
                raise InvalidOption(f"a schedule decides {name} of its runs itself; leave it out")
        checks.refuse_unknown(options, _KNOWN, of=f"schedule {identity!r}")
        immediately = checks.flag("immediately", options.get("immediately", False))
        timing = checked_timing(
            every=options.get("every"),
            cron=options.get("cron"),
            tz=options.get("tz"),
            offset=options.get("offset"),
            limit=options.get("limit"),
            start=options.get("start"),
            end=options.get("end"),
            immediately=immediately,
            calendar=options.get("calendar"),
            during=options.get("during"),
            session=options.get("session"),
        )
        misfire, overlap = checked_policies(options.get("misfire", "run_once"), options.get("overlap", "allow"))
        job_name, check = options.get("name"), options.get("check")
        of_runs = cast("RunOptions", {each: value for each, value in options.items() if each in KNOWN_OPTIONS})
        JobOptions().merged(**of_runs)
        return cls(
            identity,
            identity if job_name is None else checks.text("name", job_name),
            options.get("data", UNSET),
            None if check is None else checks.flag("check", check),
            timing,
            immediately,
            misfire,
            overlap,
            of_runs,
        )

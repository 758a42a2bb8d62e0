"""`stockyard schedule`: what recurs in a queue, and when it comes next."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

from cyclopts import App as Command
from cyclopts import Parameter

from stockyard.app import App
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import say, show_json, show_table, span, when
from stockyard.cli.each_queue import complain_of, of_each
from stockyard.cli.options import AsJson, Span
from stockyard.cli.payload import payload_of
from stockyard.errors import InvalidOption, ScheduleNotFound
from stockyard.model.options import AddOptions, JobOptions
from stockyard.model.schedule import During, Misfire, Overlap, Schedule
from stockyard.topology.schedule_declaration import ScheduleOptions

schedule = Command(name="schedule", help="List, make, change or end recurring jobs, or run one now.")


@schedule.command(name="list")
async def list_schedules(*queues: str, connection: Connection = DEFAULT, json: AsJson = False) -> int:
    """List schedules, the next to run first; the exit status is 1 when those of a queue cannot be read.

    Args:
        queues: the queues. Defaults to all.
    """
    async with connection.open() as app:
        pages, refused = await of_each(queues or app.topology.names, lambda name: app.schedules(name).list())
    found = sorted((each for _, page in pages for each in page), key=lambda each: each.next_run)
    if json:
        show_json([_record(each) for each in found])
        return complain_of(refused)
    columns = ("queue", "schedule", "job", "recurs", "zone", "next run", "runs made", "limit", "ends", "note")
    rows = [
        (
            each.queue,
            each.id,
            each.job_name,
            _recurs(each),
            each.timing.tz,
            when(each.next_run) if each.has_next else None,
            each.runs_made,
            each.timing.limit,
            when(each.timing.end),
            _note(each),
        )
        for each in found
    ]
    show_table(columns, rows, right=("runs made", "limit"))
    return complain_of(refused)


@schedule.command(name="next")
async def next_runs(
    queue: str, schedule_id: str, /, *, count: int = 5, connection: Connection = DEFAULT, json: AsJson = False
) -> None:
    """Print the times of a schedule's next runs, in UTC.

    Args:
        queue: its queue.
        schedule_id: its id.
        count: how many at most; 5 by default.
    """
    if count < 1:
        raise InvalidOption(f"--count must be 1 or more; got {count}")
    async with connection.open() as app:
        moments = (await _found(app, queue, schedule_id)).upcoming(count)
    if json:
        show_json(moments)
    else:
        for moment in moments:
            print(when(moment))


@schedule.command
async def run(queue: str, schedule_id: str, /, *, connection: Connection = DEFAULT) -> None:
    """Add a schedule's job now, as an ordinary job beside its runs, and print its id.

    Args:
        queue: its queue.
        schedule_id: its id.
    """
    async with connection.open() as app:
        found = await _found(app, queue, schedule_id)
        # What the schedule holds runs at its times too: it is not looked into here.
        added = await app.queue(queue).add(found.job_name, found.data, check=False, **_as_given(found.options))
    say(added.id)


@schedule.command
async def remove(queue: str, /, *schedule_ids: str, connection: Connection = DEFAULT) -> None:
    """End schedules, with their next runs; what waits or runs already is left.

    Args:
        queue: their queue.
        schedule_ids: their ids.
    """
    async with connection.open() as app:
        for schedule_id in schedule_ids:
            if not await app.schedules(queue).remove(schedule_id):
                raise _missing(queue, schedule_id)


@schedule.command
def upsert(
    queue: str,
    schedule_id: str,
    /,
    *,
    every: Span = None,
    cron: str | None = None,
    tz: str | None = None,
    calendar: str | None = None,
    during: During | None = None,
    session: str | None = None,
    offset: Span = None,
    limit: int | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    immediately: bool = False,
    misfire: Misfire = "run_once",
    overlap: Overlap = "allow",
    name: str | None = None,
    data: str = "{}",
    priority: int | None = None,
    attempts: int | None = None,
    timeout: Span = None,
    check: Annotated[bool, Parameter(negative="--no-check")] = True,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """Make a schedule, or change the one of that id, and print when it runs next.

    Args:
        queue: where.
        schedule_id: its id.
        every: time between two runs, as in 5s or 1h30m.
        cron: or a pattern, as in "0 18 * * MON-FRI"; with seconds in front if it has six fields.
        tz: time zone of the pattern, as in America/New_York; that of the machine by default.
        calendar: keep the pattern to the trading days of an exchange, as in XNYS.
        during: or to the hours in which it is open.
        session: one run in each session of the calendar instead of a pattern, as in open+15m or close-5m.
        offset: how far runs lie behind the multiples of --every.
        limit: runs in all.
        start: no run before, as in 2030-01-31T18:00:00+01:00.
        end: no run after.
        immediately: make the first run of a pattern now.
        misfire: what becomes of missed runs.
        overlap: what a run does while an earlier one goes on.
        name: chooses the handler; the schedule's id by default.
        data: the payload as JSON text, {} by default; @FILE reads it from a file, @- from standard input.
        priority: 1 runs before 2.
        attempts: tries of a run.
        timeout: limit of one run, as in 30s.
        check: refuse a name or a payload that the App's declared handlers do not take.
    """
    rule: ScheduleOptions = {
        "every": every,
        "cron": cron,
        "tz": tz,
        "calendar": calendar,
        "during": during,
        "session": session,
        "offset": offset,
        "limit": limit,
        "start": _with_zone(start, "start"),
        "end": _with_zone(end, "end"),
        "immediately": immediately,
        "misfire": misfire,
        "overlap": overlap,
        "name": name,
        "data": payload_of(data),
        "check": None if check else False,
    }
    if priority is not None:
        rule["priority"] = priority
    if attempts is not None:
        rule["attempts"] = attempts
    if timeout is not None:
        rule["timeout"] = timeout
    made = asyncio.run(_upsert(connection, queue, schedule_id, rule))
    if json:
        show_json(_record(made))
    else:
        print(when(made.next_run) if made.has_next else "the schedule has come to its end: no run is to come")


async def _upsert(connection: Connection, queue: str, schedule_id: str, rule: ScheduleOptions) -> Schedule:
    async with connection.open() as app:
        return await app.schedules(queue).upsert(schedule_id, **rule)


async def _found(app: App, queue: str, schedule_id: str) -> Schedule:
    found = await app.schedules(queue).get(schedule_id)
    if found is None:
        raise _missing(queue, schedule_id)
    return found


def _missing(queue: str, schedule_id: str) -> ScheduleNotFound:
    return ScheduleNotFound(schedule_id, f"queue {queue!r} has no schedule {schedule_id!r}")


def _with_zone(moment: datetime | None, option: str) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise InvalidOption(f"--{option} needs a zone, as in {moment.isoformat()}Z or {moment.isoformat()}+01:00")
    return moment


def _as_given(options: JobOptions) -> AddOptions:
    return {
        "priority": options.priority,
        "attempts": max(options.attempts, 1),
        "backoff": options.backoff,
        "lifo": options.lifo,
        "timeout": None if options.timeout_ms is None else options.timeout_ms / 1000,
        "remove_on_complete": options.remove_on_complete,
        "remove_on_fail": options.remove_on_fail,
    }


def _recurs(each: Schedule) -> str | None:
    timing = each.timing
    if timing.every_ms is not None:
        return f"every {span(timing.every_ms)}"
    return timing.cron if timing.session is None else f"{timing.session} of {timing.calendar}"


def _note(each: Schedule) -> str | None:
    timing = each.timing
    kept = None if timing.calendar is None or timing.session else f"{timing.during} of {timing.calendar}"
    notes = [
        *([kept] if kept else []),
        *(["missed runs: skip"] if each.misfire == "skip" else []),
        *(["missed runs: all"] if each.misfire == "run_all" else []),
        *(["no overlap"] if each.overlap == "skip" else []),
        *(["of BullMQ 5"] if each.is_legacy else []),
    ]
    return ", ".join(notes) or None


def _record(each: Schedule) -> dict[str, Any]:
    timing = each.timing
    return {
        "queue": each.queue,
        "id": each.id,
        "name": each.job_name,
        "data": each.data,
        "every_ms": timing.every_ms,
        "cron": timing.cron,
        "tz": timing.tz,
        "calendar": timing.calendar,
        "during": timing.during if timing.calendar and not timing.session else None,
        "session": timing.session,
        "offset_ms": timing.offset_ms,
        "limit": timing.limit,
        "start": timing.start,
        "end": timing.end,
        "next_run": each.next_run,
        "next_job_id": each.next_job_id,
        "has_next": each.has_next,
        "run_number": each.run_number,
        "runs_made": each.runs_made,
        "misfire": each.misfire,
        "overlap": each.overlap,
        "is_legacy": each.is_legacy,
    }

"""Schedules: their records, and the runs that are made from them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from stockyard._store.ids import shown_id
from stockyard._store.jobs.rows import CorruptRecord, json_or_text, options_of
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode, StartedRecord
from stockyard._store.scripts import load
from stockyard._wire.options import encode_options
from stockyard._wire.repeat import own_rule_of, rule_of, timing_of_record, timing_of_rule, whole
from stockyard.model.options import JobOptions
from stockyard.model.schedule import Misfire, Overlap, Schedule, Timing

_UPSERT = load("scheduling.upsert")
_ADVANCE = load("scheduling.advance")
_REMOVE = load("scheduling.remove")
_LIST = load("scheduling.list")
_LOOK = load("scheduling.look")
_RESTORE = load("scheduling.restore")
_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder().decode


class SlotTaken(NamedTuple):
    """Why a schedule was not changed.

    Attributes:
        code: ``RUN_EXISTS`` or ``SLOTS_TAKEN``.
        job_id: a job in the way.
    """

    code: int
    job_id: str


class NewSchedule(NamedTuple):
    """A checked schedule on its way; ``dues`` are the next times of a cron pattern, none past its end."""

    id: str
    job_name: str
    data: str
    options: JobOptions
    timing: Timing
    misfire: Misfire
    overlap: Overlap
    dues: tuple[int, ...]


class Started(NamedTuple):
    """What is known of the schedule of a run that was started.

    Attributes:
        timing: when its runs come, or None when that cannot be read.
        due: the run's own time.
        trouble: why no next run could be made, or empty.
        next_job_id: the next run, or empty when it was there already or none follows.
        misfire: the schedule's policy.
        beside: a run of the same schedule that is still going on and must not be overlapped, or empty.
    """

    timing: Timing | None
    due: int
    trouble: str
    next_job_id: str
    misfire: str
    beside: str


async def upsert(keyspace: QueueKeyspace, new: NewSchedule) -> Schedule | SlotTaken | int:
    """Create or change a schedule; return it as it is then, why it could not be changed, or ``NO_RUN``."""
    await keyspace.learn_time()
    now, timing = keyspace.clock(), new.timing
    template = _template(new.options)
    record = {
        "every": timing.every_ms,
        "pattern": timing.cron,
        "tz": timing.tz,
        "limit": timing.limit,
        "startDate": timing.start,
        "endDate": timing.end,
        "opts": _json(template).decode() if template else None,
        "data": new.data if new.data != "{}" else None,
        # Fields of our own: a peer that writes the schedule anew drops them, and the defaults hold.
        **own_rule_of(timing),
        "misfire": new.misfire if new.misfire != "run_once" else None,
        "overlap": new.overlap if new.overlap != "allow" else None,
    }
    given = {
        "name": new.job_name,
        "data": new.data,
        "every": timing.every_ms,
        "offset": timing.offset_ms,
        "start": timing.start,
        "end": timing.end,
        "limit": timing.limit,
        "dues": new.dues,
        "fields": [text for name, value in record.items() if value is not None for text in (name, str(value))],
        "rule": _json(rule_of(timing)).decode(),
        "options": _json(_run_options(template, new.id, now)).decode(),
        "priority": new.options.priority,
        "lifo": new.options.lifo,
    }
    answer = await keyspace.run(_UPSERT, keyspace.base, new.id, now, _pack(given))
    if answer == ReplyCode.RUN_EXISTS:
        return SlotTaken(ReplyCode.RUN_EXISTS, f"repeat:{new.id}:{new.dues[0]}")
    if isinstance(answer, int):
        return answer
    if answer[0] == ReplyCode.SLOTS_TAKEN:
        return SlotTaken(ReplyCode.SLOTS_TAKEN, shown_id(answer[1]))
    return _schedule(keyspace, *answer)


async def advance(keyspace: QueueKeyspace, records: Sequence[StartedRecord]) -> list[Started | None]:
    """Make the next runs of the schedules whose runs these records are, all in one call; None is no such run."""
    await keyspace.learn_time()
    now = keyspace.clock()
    if any(b'"calendar"' in (record.options or b"") for record in records):
        # The first look into a calendar takes a second or more.
        plans = await asyncio.to_thread(_plans, records, now)
    else:
        plans = _plans(records, now)
    answers = await keyspace.run(_ADVANCE, keyspace.base, now, _pack([plan.given for plan in plans]))
    return [
        Started(
            plan.timing, plan.due, plan.trouble, *(shown_id(each) for each in (answer[0], answer[1], answer[3]))
        )
        if answer
        else None
        for plan, answer in zip(plans, answers, strict=True)
    ]


async def remove(keyspace: QueueKeyspace, schedule_id: str) -> bool:
    """End a schedule; return whether there was one."""
    return bool(await keyspace.run(_REMOVE, keyspace.base, schedule_id))


async def count(keyspace: QueueKeyspace) -> int:
    """Return how many schedules there are."""
    return int(await keyspace.server.call("ZCARD", keyspace.keys["repeat_set"]))


async def read_page(keyspace: QueueKeyspace, first: int, last: int) -> list[Schedule]:
    """Return the schedules at positions ``first`` to ``last`` inclusive, in the order in which they come next."""
    return [
        _schedule(keyspace, *row)
        for row in await keyspace.run(_LIST, keyspace.base, first, last, "", keyspace.clock())
    ]


async def read_one(keyspace: QueueKeyspace, schedule_id: str) -> Schedule | None:
    """Return a schedule, or None when there is none of that id."""
    rows = await keyspace.run(_LIST, keyspace.base, 0, 0, schedule_id, keyspace.clock())
    return _schedule(keyspace, *rows[0]) if rows else None


async def find_missing(keyspace: QueueKeyspace, *, interval_ms: int) -> list[str]:
    """Return the schedules whose next run was missing at two looks; one worker of all looks in each interval."""
    await keyspace.learn_time()
    found: list[str] = []
    first = 0
    while first >= 0:
        first, missing = await keyspace.run(_LOOK, keyspace.base, keyspace.clock(), interval_ms, first)
        found += [shown_id(each) for each in missing]
    return found


async def restore(keyspace: QueueKeyspace, schedule_id: str) -> str | None:
    """Make the missing next run of a schedule and announce it; return its id, or None when none is to come."""
    await keyspace.learn_time()
    rows = await keyspace.run(_LIST, keyspace.base, 0, 0, schedule_id, keyspace.clock())
    if not rows or not rows[0][3]:
        return None
    due, fields, now = int(rows[0][1]), rows[0][3], keyspace.clock()
    timing, template = timing_of_record(fields[1:8], fields[13:16]), _object(fields[10])
    given = {
        "score": due,
        "every": timing.every_ms,
        "offset": timing.offset_ms,
        "after_now": None if timing.every_ms else timing.cron_after(max(now, due)),
        "end": timing.end,
        "rule": _json(rule_of(timing)).decode(),
        "options": _json(_run_options(template, schedule_id, now)).decode(),
        "priority": int(template.get("priority") or 0),
        "lifo": bool(template.get("lifo")),
    }
    run = await keyspace.run(_RESTORE, keyspace.base, schedule_id, now, _pack(given))
    return run.decode() or None


class _Plan(NamedTuple):
    timing: Timing | None
    due: int
    trouble: str
    given: dict[str, Any]


def _plans(records: Sequence[StartedRecord], now: int) -> list[_Plan]:
    return [_plan(record, now) for record in records]


def _plan(record: StartedRecord, now: int) -> _Plan:
    """Decide when a started run is followed by another; pure."""
    job_id = record.shown_id
    due = whole(record.raw_id.rpartition(b":")[2]) or 0
    bare: dict[str, Any] = {"id": job_id}
    try:
        options = _read(record.options or b"{}")
        timing, number = timing_of_rule(options.get("repeat"))
        last = int(options.get("prevMillis") or due)
        if timing.limit is not None and number + 1 > timing.limit:
            return _Plan(timing, due, "", bare)
        after_last = after_now = None
        if timing.every_ms is None:
            after_last = after_now = timing.cron_after(last)
            if after_last is not None and after_last <= now:
                after_now = timing.cron_after(now)
        priority = int(options.get("priority") or 0)
        lifo = bool(options.get("lifo"))
    except (ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
        return _Plan(None, due, f"no next run can be made, because its opts.repeat cannot be read: {error}", bare)
    for name in ("jobId", "delay", "prevMillis"):
        options.pop(name, None)
    options["timestamp"] = now
    options["repeat"]["count"] = number + 1
    given = {
        **bare,
        "every": timing.every_ms,
        "offset": timing.offset_ms,
        "after_last": after_last,
        "after_now": after_now,
        # When it is past, runs from before it may be left: of a schedule that makes up for all that were missed.
        "end": timing.end,
        "options": _json(options).decode(),
        "priority": priority,
        "lifo": lifo,
    }
    return _Plan(timing, due, "", given)


def _template(options: JobOptions) -> dict[str, Any]:
    template: dict[str, Any] = _read(encode_options(options))
    if template.get("attempts", 0) <= 1:
        # One attempt is what every peer makes unasked.
        template.pop("attempts", None)
    return template


def _run_options(template: dict[str, Any], schedule_id: str, now: int) -> dict[str, Any]:
    return {**template, "timestamp": now, "repeatJobKey": schedule_id}


def _schedule(
    keyspace: QueueKeyspace, id_: bytes, due: bytes, run: bytes | None, fields: list[bytes | None], is_to_come: int
) -> Schedule:
    name, *when, made, data, options, misfire, overlap = fields[:13] or [None] * 13
    schedule_id = id_.decode(errors="replace")
    timing = timing_of_record(when, fields[13:] or (None, None, None))
    parts = schedule_id.split(":", 4)
    if name is None and len(parts) == 5:
        # BullMQ before 5 kept everything in the key: name, id, end, zone, pattern.
        timing = timing_of_record(
            (None, *(part.encode() for part in (parts[4], parts[3])), None, None, None, None)
        )
        name = parts[0].encode()
    try:
        template = options_of(options)
    except CorruptRecord:
        template = JobOptions()
    return Schedule(
        id=schedule_id,
        queue=keyspace.queue,
        job_name=(name or id_).decode(errors="replace"),
        data=json_or_text(data or b"{}"),
        options=template,
        timing=timing,
        next_run=int(due),
        next_job_id=f"repeat:{schedule_id}:{int(due)}",
        has_next=bool(is_to_come),
        run_number=_number_of(run) or whole(made) or 1,
        runs_made=whole(made) or 0,
        misfire="skip" if misfire == b"skip" else "run_all" if misfire == b"run_all" else "run_once",
        overlap="skip" if overlap == b"skip" else "allow",
        is_legacy=made is None,
    )


def _object(text: bytes | None) -> dict[str, Any]:
    found = json_or_text(text or b"{}")
    return found if isinstance(found, dict) else {}


def _number_of(options: bytes | None) -> int:
    try:
        return timing_of_rule(_object(options).get("repeat"))[1]
    except ValueError:
        return 0

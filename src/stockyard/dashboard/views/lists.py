"""The pages that list things: schedules, limits, effects, workers, alerts, caches, channels, server, audit."""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple

from stockyard.dashboard.schedule_words import in_words
from stockyard.dashboard.views.view import Facts, PageRequest, allowed, of_each
from stockyard.errors import InvalidOption
from stockyard.model.effect_record import EffectOutcome
from stockyard.model.job import Job
from stockyard.model.schedule import Schedule
from stockyard.model.stack_note import StackNote, latest_note
from stockyard.pubsub.server_channels import ServerChannel
from stockyard.pubsub.stats import ChannelStats

_NEXT_RUNS = 3
_EFFECTS = 100
_RUNS = 20
_NOTED_SECONDS = 5.0
"""No run is noted as stuck that is shorter."""
_LOG_LINES = 20
_AUDIT = 200
_HISTORY = 50


class ScheduleRow(NamedTuple):
    """A schedule with its times in words."""

    schedule: Schedule
    words: str
    upcoming: tuple[int, ...]
    problem: str


class Run(NamedTuple):
    """A job that runs, and where its handler stands if that was noted."""

    job: Job[Any]
    seconds: float
    note: StackNote | None = None


class ChannelRow(NamedTuple):
    """A channel on the server, with what this process did with it if it has opened it."""

    name: str
    durable: bool
    seen: ServerChannel
    stats: ChannelStats | None


async def schedules(request: PageRequest) -> Facts:
    """Look at the schedules of all queues, the next to run first."""
    app = request.app
    pages, unread = await of_each(app.topology.names, lambda name: app.schedules(name).list(0, 499))
    found = sorted((each for _, page in pages for each in page), key=lambda each: each.next_run)
    return {"rows": [_schedule_row(each) for each in found], "unread": unread}


def _schedule_row(schedule: Schedule) -> ScheduleRow:
    try:
        return ScheduleRow(schedule, in_words(schedule.timing), schedule.upcoming(_NEXT_RUNS), "")
    except InvalidOption as error:
        return ScheduleRow(schedule, in_words(schedule.timing), (), str(error))


async def limits(request: PageRequest) -> Facts:
    """Look at the limits of exchanges, as all processes see them, and what is frozen."""
    every = request.app.all_limits
    names = await allowed(every.names)
    if names is None:
        return {"limits": [], "unread": ["this login may not read limits"]}
    found = await asyncio.gather(*(allowed(every.status, name) for name in sorted(names)))
    return {"limits": [each for each in found if each is not None], "unread": []}


async def effects(request: PageRequest) -> Facts:
    """Look at the effects of an outcome, the unknown ones first."""
    outcome = request.text("outcome", EffectOutcome.UNKNOWN.value)
    found, entries = await asyncio.gather(
        request.app.effects.list(outcome, count=_EFFECTS), request.app.effects.audit(count=20)
    )
    return {
        "effects": found,
        "outcome": outcome,
        "outcomes": sorted((each.value for each in EffectOutcome), key=lambda each: each != EffectOutcome.UNKNOWN),
        "entries": sorted(entries, key=lambda each: each["id"], reverse=True)[:20],
        "now": int(time.time() * 1000),
    }


async def workers(request: PageRequest) -> Facts:
    """Look at the workers that are connected, and at what runs for longest."""
    app = request.app
    pages, unread = await of_each(app.topology.names, lambda name: app.queue(name).workers())
    active, _ = await of_each(
        app.topology.names, lambda name: app.queue(name).get_jobs("active", size=_RUNS, newest_first=False)
    )
    now = int(time.time() * 1000)
    runs = [
        Run(job, max(now - job.processed_on, 0) / 1000)
        for _, jobs in active
        for job in jobs
        if job.processed_on is not None
    ]
    longest = sorted(runs, key=lambda run: -run.seconds)[:_RUNS]
    return {
        "workers": [worker for _, page in pages for worker in page],
        "unread": unread,
        "runs": await asyncio.gather(*map(_noted, longest)),
        "checks": app.monitor.health_checks(),
    }


async def _noted(run: Run) -> Run:
    if run.seconds < _NOTED_SECONDS:
        return run
    return run._replace(note=latest_note(await allowed(run.job.logs, -_LOG_LINES, -1) or (), run.job.attempt))


async def alerts(request: PageRequest) -> Facts:
    """Look at incidents, silences and the history of notifications."""
    store = request.app.alerts
    incidents, silences, history = await asyncio.gather(
        store.incidents(), store.silences(), store.history(_HISTORY)
    )
    now = int(time.time() * 1000)
    return {
        "incidents": [
            (each, next((silence for silence in silences if silence.covers(each, now)), None))
            for each in incidents
        ],
        "silences": silences,
        "history": history,
        "now": now,
    }


async def caches(request: PageRequest) -> Facts:
    """Look at what the caches hold on the server, and what they did in this process."""
    every = request.app.caches
    usage, budget = await asyncio.gather(allowed(every.usage), allowed(every.budget))
    return {"usage": usage, "budget": budget, "stats": every.stats()}


async def channels(request: PageRequest) -> Facts:
    """Look at the channels that the server knows, and at what this process did with those that it has opened."""
    every = request.app.channels
    stats = every.stats()
    seen = await allowed(every.on_server)
    rows = [ChannelRow(each.name, each.durable, each, stats.get(each.name)) for each in seen or ()]
    shown = {(each.name, each.durable) for each in rows}
    for name, own in stats.items():
        declared = every.find(name)
        kind = (name, declared is not None and declared.durable)
        if kind not in shown:
            rows.append(ChannelRow(*kind, ServerChannel(*kind), own))
    return {"rows": sorted(rows, key=lambda each: (each.name, each.durable)), "is_refused": seen is None}


async def server(request: PageRequest) -> Facts:
    """Look at what the doctor finds, at each server, and at where queues are in a cluster."""
    findings, overview, places = await asyncio.gather(
        request.app.check_server(), request.app.monitor.overview(), request.app.monitor.places()
    )
    return {
        "findings": findings,
        "servers": overview.servers,
        "places": places,
        "url_shown": request.app.url,
        "settings": request.app.settings,
    }


async def audit(request: PageRequest) -> Facts:
    """Look at who did what, the latest first, and at the operations of this process."""
    entries = await allowed(request.app.monitor.audit.list, _AUDIT)
    return {"entries": entries, "operations": request.operations.latest(), "most": _AUDIT}


async def operation(request: PageRequest) -> Facts:
    """Look at an action on many jobs, as it goes on."""
    found = request.operations.find(request.need("id"))
    if found is None:
        raise InvalidOption("this process knows no such operation: the audit says what came of it")
    return {"operation": found, "is_still": found.is_over}

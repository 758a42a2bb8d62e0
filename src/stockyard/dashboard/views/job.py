"""One job: its data, what happened to it, what it did outside, and the jobs around it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from stockyard.app import App
from stockyard.dashboard.timeline import timeline
from stockyard.dashboard.views.view import Facts, PageRequest, allowed
from stockyard.errors import JobNotFound
from stockyard.events import Event
from stockyard.model.effect_record import EffectOutcome, EffectRecord
from stockyard.model.job import JobState
from stockyard.model.lineage import job_named
from stockyard.model.stack_note import latest_note
from stockyard.observe.lineage import parent_of

_LOG_LINES = 200
_EVENTS = 1_000
"""Entries of the queue's stream that are looked through for the job's."""
_EFFECTS = 200
_WAITING = (JobState.WAITING, JobState.PRIORITIZED, JobState.DELAYED)


async def job(request: PageRequest) -> Facts:
    """Look at a job; raises JobNotFound."""
    app, name, job_id = request.app, request.need("queue"), request.need("id")
    queue = app.queue(name)
    found = await queue.get_job(job_id)
    if found is None:
        raise JobNotFound(job_id, f"queue {name!r} has no job {job_id!r} (any more)")
    state, logs, children, events, effects = await asyncio.gather(
        found.state(),
        allowed(found.logs, -_LOG_LINES, -1),
        allowed(found.children_counts),
        _events(app, name, found.id),
        _effects(app, name, found.id),
    )
    position = await allowed(queue.position, job_id) if state in _WAITING else None
    return {
        "job": found,
        "state": state.value,
        "can_edit": state is not JobState.ACTIVE,
        "position": position,
        "logs": logs or [],
        "log_limit": _LOG_LINES,
        "stuck": latest_note(logs or (), found.attempt) if state is JobState.ACTIVE else None,
        "children": {kind: number for kind, number in (children or {}).items() if number},
        "parent": parent_of(app, found.parent_key),
        "cause": job_named(found.causation_id or "", app.topology),
        "effects": effects,
        "timeline": timeline(found, events),
        "name": name,
    }


async def _events(app: App, name: str, job_id: str) -> Sequence[Event]:
    reader = app.events(name, job_ids=[job_id])
    try:
        return await allowed(reader.earlier, _EVENTS) or []
    finally:
        await reader.aclose()


async def _effects(app: App, name: str, job_id: str) -> list[EffectRecord]:
    if not app.topology.spec(name).uses_effects:
        return []
    pages = await asyncio.gather(
        *(allowed(app.effects.list, outcome, queue=name, count=_EFFECTS) for outcome in EffectOutcome)
    )
    return [record for page in pages for record in page or () if record.job_id == job_id]

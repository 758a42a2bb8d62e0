"""`stockyard why`: the jobs that led to a job, and all of one story."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from stockyard.app import App
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import say, show_json, show_table, when
from stockyard.cli.options import AsJson
from stockyard.errors import InvalidOption, JobNotFound
from stockyard.model.effect_record import EffectOutcome, EffectRecord
from stockyard.model.job import Job, JobState
from stockyard.model.lineage import job_named
from stockyard.observe.lineage import Lineage, LineageStep, jobs_of_story, lineage_of

_EFFECTS = 1_000
"""Effects of each outcome that are looked through for those of the path."""
_PATH = ("queue", "job", "name", "state", "added", "after", "attempts", "effects", "data")
_STORY = ("queue", "job", "name", "state", "added", "because of")
_Effects = Mapping[tuple[str, str], Sequence[EffectRecord]]


async def why(
    job: str,
    job_id: str | None = None,
    /,
    *,
    all_: bool = False,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """Show why a job was added: the jobs that led to it, the first cause first.

    Jobs remember their cause where their queue declares lineage=True, and where a job has a correlation id.

    Args:
        job: the job: QUEUE/ID, or an id that one of the queues knows; or its queue, followed by the id.
        job_id: its id in that queue.
        all_: look through all queues, and show every job of the story.
    """
    async with connection.open() as app:
        found = await _found(app, job, job_id)
        lineage = await lineage_of(app, found)
        effects = await _effects_of(app, lineage)
        story = []
        if all_:
            jobs = [each async for each in jobs_of_story(app, lineage.correlation_id)]
            jobs.sort(key=lambda each: each.timestamp)
            story = list(zip(jobs, await asyncio.gather(*(each.state() for each in jobs)), strict=True))
    if json:
        path = [_step_record(step, effects) for step in lineage.steps]
        record: dict[str, Any] = {
            "correlation_id": lineage.correlation_id,
            "origin": lineage.origin,
            "has_gap": lineage.has_gap,
            "path": path,
        }
        show_json({**record, "story": [_job_record(*each) for each in story]} if all_ else record)
        return
    _show_path(lineage, effects)
    if all_:
        say(f"all jobs of {lineage.correlation_id}:")
        show_table(_STORY, [_story_row(*each) for each in story])


def _show_path(lineage: Lineage, effects: _Effects) -> None:
    start = next(step.job.timestamp for step in lineage.steps if step.job is not None)
    show_table(_PATH, [_path_row(step, start, effects) for step in lineage.steps], right=("after",))
    if lineage.origin is not None:
        say(f"it began with {lineage.origin}")
    if lineage.has_gap:
        say("records between the first two jobs are gone: keep them longer by remove_on_complete")
    elif len(lineage.steps) == 1 and lineage.origin is None:
        say("nothing is known of what led to it: its queue declares no lineage=True, or no handler added it")


async def _found(app: App, job: str, job_id: str | None) -> Job[Any]:
    """Return the job that is meant.

    Raises:
        JobNotFound: there is none.
        InvalidOption: several queues have a job of that id.
    """
    if job_id is not None:
        found = await app.queue(job).get_job(job_id)
        if found is None:
            raise JobNotFound(job_id, f"queue {job!r} has no job {job_id!r}")
        return found
    named = job_named(job, app.topology)
    if named is not None and (found := await app.queue(named.queue).get_job(named.id)) is not None:
        return found
    answers = await asyncio.gather(*(app.queue(name).get_job(job) for name in app.topology.names))
    jobs = [each for each in answers if each is not None]
    if len(jobs) > 1:
        queues = ", ".join(each.queue for each in jobs)
        raise InvalidOption(f"several queues have a job {job!r}: {queues}. Name one: stockyard why QUEUE {job}")
    if not jobs:
        raise JobNotFound(job, f"no queue has a job {job!r}")
    return jobs[0]


async def _effects_of(app: App, lineage: Lineage) -> _Effects:
    """Return the effects of the path's jobs, by queue and id."""
    queues = {step.queue for step in lineage.steps if app.topology.spec(step.queue).uses_effects}
    pages = [
        await app.effects.list(outcome, queue=queue, count=_EFFECTS)
        for queue in sorted(queues)
        for outcome in EffectOutcome
    ]
    found: dict[tuple[str, str], list[EffectRecord]] = {}
    for record in (record for page in pages for record in page):
        found.setdefault((record.queue, record.job_id), []).append(record)
    return found


def _path_row(step: LineageStep, start: int, effects: _Effects) -> tuple[object, ...]:
    job = step.job
    done = ", ".join(f"{each.key}: {each.outcome}" for each in effects.get((step.queue, step.id), ()))
    if job is None:
        return step.queue, step.id, "its record is gone", None, None, None, None, done or None, None
    return (
        step.queue,
        step.id,
        f"{job.name}, its parent" if step.relation == "parent" else job.name,
        step.state.value,
        when(job.timestamp),
        f"+{(job.timestamp - start) / 1000:,.3f} s",
        job.attempts_made,
        done or None,
        job.data,
    )


def _story_row(job: Job[Any], state: JobState) -> tuple[object, ...]:
    return job.queue, job.id, job.name, state.value, when(job.timestamp), job.causation_id


def _step_record(step: LineageStep, effects: _Effects) -> dict[str, Any]:
    known = {"queue": step.queue, "id": step.id, "relation": step.relation}
    done = effects.get((step.queue, step.id), ())
    record = {} if step.job is None else _job_record(step.job, step.state)
    return {**known, **record, "is_gone": step.job is None, "effects": done}


def _job_record(job: Job[Any], state: JobState) -> dict[str, Any]:
    return {
        "queue": job.queue,
        "id": job.id,
        "name": job.name,
        "state": state.value,
        "timestamp": job.timestamp,
        "processed_on": job.processed_on,
        "finished_on": job.finished_on,
        "attempts_made": job.attempts_made,
        "causation_id": job.causation_id,
        "data": job.data,
    }

"""Why a job was added: the jobs that led to it, the first cause first, and all that belongs to one story."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, Protocol

import msgspec

from stockyard.config import Settings
from stockyard.model.job import Job, JobState
from stockyard.model.lineage import JobName, job_named
from stockyard.produce.queue import Queue
from stockyard.topology import Topology

LONGEST_PATH = 100
"""Jobs of a path that are read."""

Relation = Literal["cause", "parent", "job"]
"""How a step leads to the next: its handler added that job; it waits for that job; it is the job itself."""


class Queues(Protocol):
    """What is asked of an App."""

    @property
    def topology(self) -> Topology: ...
    @property
    def settings(self) -> Settings: ...
    def queue(self, name: str) -> Queue: ...


class LineageStep(msgspec.Struct, frozen=True):
    """One job of a path.

    Attributes:
        queue, id: the job.
        relation: ``"cause"``: its handler added the next job; ``"parent"``: it waits for the next job, which it
            was added with; ``"job"``: the last step, the job that was asked for.
        job: its record, or None where that is gone.
        state: where it is now.
    """

    queue: str
    id: str
    relation: Relation
    job: Job[Any] | None
    state: JobState


class Lineage(msgspec.Struct, frozen=True):
    """The path to a job.

    Attributes:
        correlation_id: what all jobs of the story share.
        steps: the first cause first, the job itself last.
        origin: what caused the first step, where that is an id from outside, or of a queue that is not declared
            here; else None.
        has_gap: whether records between the first step and the second are gone.
    """

    correlation_id: str
    steps: tuple[LineageStep, ...]
    origin: str | None = None
    has_gap: bool = False


async def lineage_of(app: Queues, job: Job[Any]) -> Lineage:
    """Return the path to a job: the jobs whose handlers added it, as far as their records are there.

    Args:
        app: declares their queues; an ``App``.
        job: whose path is asked for.
    """
    steps = [LineageStep(job.queue, job.id, "job", job, await job.state())]
    names = {JobName(job.queue, job.id)}
    origin: str | None = None
    while (known := steps[0].job) is not None and len(steps) < LONGEST_PATH:
        name, relation = _above(app, known)
        if name is None:
            origin = known.causation_id
            break
        if name in names:
            break
        names.add(name)
        steps.insert(0, await _step(app, name, relation))
    has_gap = False
    first = job_named(job.correlation_id, app.topology)
    if steps[0].job is None and first is not None and first not in names:
        steps.insert(0, await _step(app, first, "cause"))
        has_gap = True
    return Lineage(job.correlation_id, tuple(steps), origin, has_gap)


async def jobs_of_story(app: Queues, correlation_id: str) -> AsyncIterator[Job[Any]]:
    """Look through all jobs of all declared queues, in steps, and yield those with this correlation id.

    Args:
        app: declares their queues; an ``App``.
        correlation_id: what they share.
    """
    for queue in [app.queue(name) for name in app.topology.names]:
        seen: set[str] = set()
        after: str | None = None
        while True:
            step = await queue.search(f"correlation:{correlation_id}", after=after)
            for found in step.found:
                if found.job.id not in seen:
                    seen.add(found.job.id)
                    yield found.job
            after = step.after
            if after is None:
                break


def parent_of(app: Queues, key: str | None) -> JobName | None:
    """Return a parent by its full key; None where its queue is not declared here."""
    if key is None:
        return None
    plain = key.replace("{", "").replace("}", "")
    prefix = app.settings.prefix.replace("{", "").replace("}", "")
    for name in app.topology.names:
        start = f"{prefix}:{name}:"
        if plain.startswith(start):
            return JobName(name, plain.removeprefix(start))
    return None


def _above(app: Queues, job: Job[Any]) -> tuple[JobName | None, Relation]:
    """Return the job one step further up: the cause, or the parent of a job that has none."""
    if job.causation_id is not None:
        return job_named(job.causation_id, app.topology), "cause"
    return parent_of(app, job.parent_key), "parent"


async def _step(app: Queues, name: JobName, relation: Relation) -> LineageStep:
    job = await app.queue(name.queue).get_job(name.id)
    state = JobState.UNKNOWN if job is None else await job.state()
    return LineageStep(name.queue, name.id, relation, job, state)

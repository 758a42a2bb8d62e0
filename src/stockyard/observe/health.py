"""How queues are at one moment, as frozen snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stockyard._store.jobs.reading import QueueFacts, read_facts
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.printable import printable


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """A queue at one moment.

    Attributes:
        name: of the queue.
        waiting: jobs ready to run, prioritized ones included.
        active: jobs being run.
        completed, failed: finished jobs whose records are kept.
        delayed: jobs that wait for their time.
        prioritized: those of ``waiting`` that have a priority.
        paused: whether the queue is paused.
        oldest_waiting_age: seconds since the oldest waiting job was added, 0 when none waits.
        longest_active: seconds since the longest running job was started, 0 when none runs.
        workers: how many are connected.
        waiting_children: jobs that wait for their children.
        schedules: recurring jobs.
        longest_active_job: id of the longest running job, or None.
        longest_active_worker: name of its worker; None for a worker without one, or when none runs.
        longest_active_since: its start, ms since the epoch; 0 when none runs.
        longest_active_held: whether its lease is held; if not, its worker is dead or frozen.
        late_schedule: id of the schedule whose next run is the most overdue, or None.
        schedule_late: seconds since that was due, 0 when none is.
        completed_total, failed_total: jobs that ended so, as workers count them for good; retention lowers
            ``completed`` and ``failed``, never these.
        damage: what of the queue cannot be read and why, as in ``wait: WRONGTYPE ...``, because another program
            has written over it; the numbers that come from there are 0. Empty when all is well.
    """

    name: str
    waiting: int
    active: int
    completed: int
    failed: int
    delayed: int
    prioritized: int = 0
    paused: bool = False
    oldest_waiting_age: float = 0.0
    longest_active: float = 0.0
    workers: int = 0
    waiting_children: int = 0
    schedules: int = 0
    longest_active_job: str | None = None
    longest_active_worker: str | None = None
    longest_active_since: int = 0
    longest_active_held: bool = True
    late_schedule: str | None = None
    schedule_late: float = 0.0
    completed_total: int = 0
    failed_total: int = 0
    damage: tuple[str, ...] = ()


async def read_health(keyspaces: Sequence[QueueKeyspace], *, now: int) -> list[QueueHealth]:
    """Return snapshots of queues of one server, in one round trip; ``now`` in ms since the epoch."""
    facts = await read_facts(keyspaces) if keyspaces else []
    return [health_of(keyspace.queue, each, now) for keyspace, each in zip(keyspaces, facts, strict=True)]


def health_of(name: str, facts: QueueFacts, now: int) -> QueueHealth:
    """Return a snapshot of these numbers; ``now`` in ms since the epoch."""
    return QueueHealth(
        name,
        waiting=facts.wait + facts.legacy_paused + facts.prioritized,
        active=facts.active,
        completed=facts.completed,
        failed=facts.failed,
        delayed=facts.delayed,
        prioritized=facts.prioritized,
        paused=bool(facts.is_paused),
        oldest_waiting_age=_age(facts.waiting_since, now),
        longest_active=_age(facts.running_since, now),
        workers=facts.workers,
        waiting_children=facts.waiting_children,
        schedules=facts.schedules,
        longest_active_job=facts.running_id or None,
        longest_active_worker=facts.running_worker or None,
        longest_active_since=facts.running_since,
        longest_active_held=bool(facts.is_held or not facts.running_id),
        late_schedule=facts.late_schedule or None,
        schedule_late=_age(facts.late_due, now),
        completed_total=facts.counted_completed,
        failed_total=facts.counted_failed,
        damage=tuple(printable(each) for each in facts.damage),
    )


def _age(since: int, now: int) -> float:
    return max(now - since, 0) / 1000 if since else 0.0

"""How queues and limits of exchanges are at one moment, as frozen snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from stockyard._store.halting import halt_of
from stockyard._store.jobs.merging import merged_facts
from stockyard._store.jobs.reading import QueueFacts, read_facts
from stockyard._store.jobs.versioning import canary_of
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.limits.facts import LimitsFacts
from stockyard.model.printable import printable

BreakerState = Literal["closed", "open", "half-open"]
"""What a circuit breaker is; a queue that declares none is closed."""


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """A queue at one moment.

    Attributes:
        name: of the queue.
        waiting: jobs ready to run, prioritized ones included, and those in the lines of their keys.
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
        replaced_total: payloads that newer ones of their coalescing keys replaced.
        expired_total: jobs that did not start in time; they count as failed in ``failed_total``, as for Node.
        dropped_total: jobs that were dropped for newer ones, as the queue was full.
        refused_total: adds that were refused for that.
        effects_unknown: effects that may have been applied and of which nobody knows; see ``App.effects``.
        oldest_unknown_age: seconds since the one that is unknown for longest became so, 0 when none is.
        oldest_unknown_effect: its key, or None.
        not_understood: jobs of payload versions that no worker has asked for within a minute; they are among
            ``delayed``.
        halted: whether a halt, or its circuit breaker, holds the queue; see ``App.halts``.
        halt_reason: what halts it, who and why, or None.
        halted_age: seconds since it was halted, 0 when it is not.
        halted_keys: keys of which the jobs are halted, while others go on.
        breaker: of its circuit breaker ``"closed"``, ``"open"``, or ``"half-open"`` while a job is tried.
        parked_keys: keys whose job failed for good, so that those behind it wait; see ``Queue.keys``.
        canary: the version of the release whose workers run a share of the jobs of older versions, or None.
        canary_share: that share, from 0 to 1; 0 without a canary.
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
    parked_keys: int = 0
    longest_active_worker: str | None = None
    longest_active_since: int = 0
    longest_active_held: bool = True
    late_schedule: str | None = None
    schedule_late: float = 0.0
    completed_total: int = 0
    failed_total: int = 0
    replaced_total: int = 0
    expired_total: int = 0
    dropped_total: int = 0
    refused_total: int = 0
    effects_unknown: int = 0
    oldest_unknown_age: float = 0.0
    oldest_unknown_effect: str | None = None
    not_understood: int = 0
    halted: bool = False
    halt_reason: str | None = None
    halted_age: float = 0.0
    halted_keys: int = 0
    breaker: BreakerState = "closed"
    canary: int | None = None
    canary_share: float = 0.0
    damage: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LimitsHealth:
    """The limits of one exchange at one moment.

    Attributes:
        name: of the limits.
        frozen_for: seconds for which calls are held from now on, by the freeze that ends last; 0 when none is.
        frozen_scope: whose calls it holds, as ``ip=10.0.0.1``; empty for all.
    """

    name: str
    frozen_for: float = 0.0
    frozen_scope: str = ""


async def read_health(queues: Sequence[Sequence[QueueKeyspace]], *, now: int) -> list[QueueHealth]:
    """Return snapshots of queues of one server, in one round trip.

    Args:
        queues: the keys of each queue, or of its shards.
        now: in ms since the epoch.
    """
    facts = await read_facts([keyspace for queue in queues for keyspace in queue]) if queues else []
    return [
        health_of(queue[0].queue, merged_facts(shards), now)
        for queue, shards in zip(queues, by_queue(queues, facts), strict=True)
    ]


def by_queue(queues: Sequence[Sequence[QueueKeyspace]], facts: Sequence[QueueFacts]) -> list[Sequence[QueueFacts]]:
    """Return the numbers of each queue's shards, given those of all shards in order."""
    left = iter(facts)
    return [list(islice(left, len(queue))) for queue in queues]


def health_of(name: str, facts: QueueFacts, now: int) -> QueueHealth:
    """Return a snapshot of these numbers; ``now`` in ms since the epoch."""
    halt = halt_of(facts.halt or facts.breaker)
    canary = canary_of(facts.canary, facts.canary_share)
    return QueueHealth(
        name,
        waiting=facts.wait + facts.legacy_paused + facts.prioritized + facts.in_lines,
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
        replaced_total=facts.replaced,
        expired_total=facts.expired,
        dropped_total=facts.dropped,
        refused_total=facts.refused,
        effects_unknown=facts.unknown_effects,
        oldest_unknown_age=_age(facts.unknown_since, now),
        oldest_unknown_effect=facts.unknown_key or None,
        not_understood=facts.not_understood,
        halted=halt is not None,
        halt_reason=None if halt is None else printable(str(halt)),
        halted_age=0.0 if halt is None else _age(halt.since, now),
        halted_keys=facts.halted_keys,
        breaker="closed" if not facts.breaker else "half-open" if facts.trial else "open",
        parked_keys=facts.parked_keys,
        canary=None if canary is None else canary.version,
        canary_share=0.0 if canary is None else canary.share,
        damage=tuple(printable(each) for each in facts.damage),
    )


def _age(since: int, now: int) -> float:
    return max(now - since, 0) / 1000 if since else 0.0


def limits_health_of(facts: LimitsFacts, now: int) -> LimitsHealth:
    """Return a snapshot of limits by their freezes; ``now`` in ms since the epoch."""
    left = {scope: until - now for scope, until in facts.frozen_until.items() if until > now}
    if not left:
        return LimitsHealth(facts.name)
    scope = max(left, key=lambda scope: left[scope])
    return LimitsHealth(facts.name, left[scope] / 1000, scope)

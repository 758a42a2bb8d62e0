"""The rules that watch a topology and its server, with their thresholds."""

from __future__ import annotations

from dataclasses import dataclass

from stockyard._store.inspecting import ServerFacts
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.printable import readable_time
from stockyard.observe.alerts.rules import AlertRule, LimitsRule, Rule, ServerRule
from stockyard.observe.health import LimitsHealth, QueueHealth
from stockyard.observe.metrics.definitions import (
    DELAYED_FSYNC,
    EFFECTS_OLDEST,
    EVICTED,
    HALTED,
    HALTED_KEYS,
    JOBS,
    KEYS_PARKED,
    LATE,
    LIMIT_FROZEN,
    LONGEST,
    MAXMEMORY,
    MEMORY,
    NOT_UNDERSTOOD,
    OLDEST,
    PAUSED,
    UNREADABLE,
    UP,
    WORKERS,
)
from stockyard.observe.metrics.promql import latest, one_of, waiting
from stockyard.topology import Topology

_UNREACHABLE_MS = 60_000


@checks.named_arguments("threshold")
@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What is too much.

    Attributes:
        waiting: jobs that wait in a high-priority queue. Defaults to 100.
        failed: failed jobs that any queue keeps. Defaults to 50.
        active: how long a job runs. Defaults to 5 minutes.
        oldest_waiting: how long a job waits. Defaults to 15 minutes.
        schedule_late: how long after its time a schedule starts its run. Defaults to 5 minutes.
        no_worker: for how long jobs wait and no worker is connected. Defaults to 1 minute.
        effects_unknown: how long an effect's outcome is unknown. Defaults to 5 minutes.
        limits_frozen: for how long the limits of an exchange are frozen. Defaults to 0: an alert fires at once.
        memory: share of ``maxmemory`` in use. Defaults to 0.9.

    Raises:
        InvalidOption: no threshold has such a name.
    """

    waiting: int = 100
    failed: int = 50
    active: Duration = "5m"
    oldest_waiting: Duration = "15m"
    schedule_late: Duration = "5m"
    no_worker: Duration = "1m"
    effects_unknown: Duration = "5m"
    limits_frozen: Duration = "0s"
    memory: float = 0.9


def queue_rules(topology: Topology, thresholds: Thresholds) -> tuple[AlertRule, ...]:
    """Return the platform's three rules: a backlog, failed jobs, a job that runs too long.

    Raises:
        InvalidOption: a threshold is no duration.
    """
    urgent = frozenset(spec.name for spec in topology if spec.high_priority)
    return (
        AlertRule(
            "waiting",
            measure=lambda health: health.waiting,
            threshold=thresholds.waiting,
            action="scale workers",
            applies=lambda name: name in urgent,
            promql=waiting(one_of("queue", urgent)),
        ),
        AlertRule(
            "failed",
            measure=lambda health: health.failed,
            threshold=thresholds.failed,
            action="investigate errors",
            promql=latest(JOBS, 'state="failed"', by=["queue"]),
        ),
        AlertRule(
            "longest active",
            measure=lambda health: health.longest_active,
            threshold=milliseconds(thresholds.active, option="active") / 1000,
            action="look for a dead worker",
            unit=" s",
            detail=_run,
            promql=latest(LONGEST),
        ),
    )


def operational_rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    """Return the rules beyond: workers, waits, schedules, effects, halts, limits, memory, keys, disk, server.

    Raises:
        InvalidOption: a threshold is no duration.
    """
    return (
        AlertRule(
            "waiting without a worker",
            measure=_unattended,
            threshold=0,
            action="start a worker",
            for_ms=milliseconds(thresholds.no_worker, option="no_worker"),
            promql=f"{waiting()} * ({latest(WORKERS)} == bool 0) * ({latest(PAUSED)} == bool 0)",
        ),
        AlertRule(
            "oldest waiting",
            measure=lambda health: health.oldest_waiting_age,
            threshold=milliseconds(thresholds.oldest_waiting, option="oldest_waiting") / 1000,
            action="scale workers, or look for what holds them up",
            unit=" s",
            promql=latest(OLDEST),
        ),
        AlertRule(
            "schedules stopped",
            measure=lambda health: 0 if health.paused else health.schedule_late,
            threshold=milliseconds(thresholds.schedule_late, option="schedule_late") / 1000,
            action="see that a worker runs and is not behind; stockyard schedule list",
            unit=" s",
            detail=lambda health: f"schedule {health.late_schedule}" if health.late_schedule else "",
            promql=f"{latest(LATE)} * ({latest(PAUSED)} == bool 0)",
        ),
        AlertRule(
            "effects unknown",
            measure=lambda health: health.oldest_unknown_age,
            threshold=milliseconds(thresholds.effects_unknown, option="effects_unknown") / 1000,
            action="ask the venue what became of each, and settle it: stockyard effect list",
            unit=" s",
            detail=_unknown_effects,
            promql=latest(EFFECTS_OLDEST),
        ),
        LimitsRule(
            "limits frozen",
            measure=lambda health: health.frozen_for,
            threshold=0,
            action="find what called too often, and wait: nothing is sent meanwhile (stockyard limits show)",
            unit=" s",
            for_ms=milliseconds(thresholds.limits_frozen, option="limits_frozen"),
            detail=_frozen,
            promql=latest(LIMIT_FROZEN),
        ),
        AlertRule(
            "parked keys",
            measure=lambda health: health.parked_keys,
            threshold=0,
            action="see why its job failed, then resume, skip or replay it: stockyard key list QUEUE",
            promql=latest(KEYS_PARKED),
        ),
        AlertRule(
            "not understood",
            measure=lambda health: health.not_understood,
            threshold=0,
            action="start workers of their payload version: stockyard queue versions",
            promql=latest(NOT_UNDERSTOOD),
        ),
        AlertRule(
            "halted",
            measure=lambda health: int(health.halted) + health.halted_keys,
            threshold=0,
            action="look why, and resume it when that is over: stockyard halts",
            detail=_halted,
            promql=f"{latest(HALTED)} + {latest(HALTED_KEYS)}",
        ),
        ServerRule(
            "memory",
            measure=_memory_share,
            threshold=thresholds.memory,
            action="clean finished jobs, shrink the cache, or raise maxmemory",
            promql=f"{latest(MEMORY)} / ({latest(MAXMEMORY)} > 0)",
        ),
        ServerRule(
            "evicted keys",
            measure=lambda facts: facts.evicted or 0,
            threshold=0,
            action="set maxmemory-policy noeviction; jobs may be lost (stockyard doctor)",
            promql=latest(EVICTED),
        ),
        AlertRule(
            "unreadable keys",
            measure=lambda health: len(health.damage),
            threshold=0,
            action="repair or delete what another program has written over",
            detail=_damage,
            promql=latest(UNREADABLE),
        ),
        ServerRule(
            "delayed fsync",
            measure=lambda facts: facts.recent_delayed_fsync,
            threshold=0,
            action="find what slows the server's disk; a crash may lose the last seconds",
            # Counters of several exporters that tell the same of one server.
            promql=f"max by (node) (increase({DELAYED_FSYNC.name}[15m]))",
        ),
        ServerRule(
            "server unreachable",
            # Whoever holds the server's facts has reached it: only Prometheus sees that nobody does.
            measure=lambda _facts: 0,
            threshold=0,
            action="start the server, or repair the way to it; see that /metrics is served and scraped",
            for_ms=_UNREACHABLE_MS,
            promql=f"(1 - max({UP.name})) or absent({UP.name})",
        ),
    )


def every_rule(topology: Topology, thresholds: Thresholds) -> tuple[Rule, ...]:
    """Return all of these, the platform's three first.

    Raises:
        InvalidOption: a threshold is no duration.
    """
    return *queue_rules(topology, thresholds), *operational_rules(thresholds)


def _damage(health: QueueHealth) -> str:
    more = len(health.damage) - 3
    return "; ".join(health.damage[:3]) + (f"; and {more} more" if more > 0 else "")


def _unattended(health: QueueHealth) -> float:
    return 0 if health.workers or health.paused else health.waiting


def _run(health: QueueHealth) -> str:
    if health.longest_active_job is None:
        return ""
    since = readable_time(health.longest_active_since)
    name = health.longest_active_worker
    worker = f"worker {name}" if name else "a worker without a name"
    lease = "" if health.longest_active_held else "; its lease ran out: the worker is dead or frozen"
    return f"job {health.longest_active_job} on {worker} since {since}{lease}"


def _unknown_effects(health: QueueHealth) -> str:
    return f"{health.effects_unknown} of them; stockyard effect show {health.oldest_unknown_effect}"


def _frozen(health: LimitsHealth) -> str:
    return f"calls of {health.frozen_scope}" if health.frozen_scope else "all calls"


def _halted(health: QueueHealth) -> str:
    keys = f"{health.halted_keys} of its keys" if health.halted_keys else ""
    return "; ".join(filter(None, (health.halt_reason, keys)))


def _memory_share(facts: ServerFacts) -> float:
    return (facts.used_memory or 0) / facts.maxmemory if facts.maxmemory else 0.0

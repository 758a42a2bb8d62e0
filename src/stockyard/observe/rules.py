"""The rules that watch a topology and its server, with their thresholds."""

from __future__ import annotations

from dataclasses import dataclass

from stockyard._store.inspecting import ServerFacts
from stockyard.model.duration import Duration, milliseconds
from stockyard.observe.alerts import AlertRule, Rule, ServerRule
from stockyard.observe.health import QueueHealth
from stockyard.topology import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What is too much.

    Attributes:
        waiting: jobs that wait in a high-priority queue. Defaults to 100.
        failed: failed jobs that any queue keeps. Defaults to 50.
        active: how long a job runs. Defaults to 5 minutes.
        oldest_waiting: how long a job waits. Defaults to 15 minutes.
        no_worker: for how long jobs wait and no worker is connected. Defaults to 1 minute.
        memory: share of ``maxmemory`` in use. Defaults to 0.9.
    """

    waiting: int = 100
    failed: int = 50
    active: Duration = "5m"
    oldest_waiting: Duration = "15m"
    no_worker: Duration = "1m"
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
        ),
        AlertRule(
            "failed",
            measure=lambda health: health.failed,
            threshold=thresholds.failed,
            action="investigate errors",
        ),
        AlertRule(
            "longest active",
            measure=lambda health: health.longest_active,
            threshold=milliseconds(thresholds.active, option="active") / 1000,
            action="look for a dead worker",
            unit=" s",
        ),
    )


def operational_rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    """Return the rules beyond those: nobody works, jobs wait for long, memory, evictions.

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
        ),
        AlertRule(
            "oldest waiting",
            measure=lambda health: health.oldest_waiting_age,
            threshold=milliseconds(thresholds.oldest_waiting, option="oldest_waiting") / 1000,
            action="scale workers, or look for what holds them up",
            unit=" s",
        ),
        ServerRule(
            "memory",
            measure=_memory_share,
            threshold=thresholds.memory,
            action="clean finished jobs, shrink the cache, or raise maxmemory",
        ),
        ServerRule(
            "evicted keys",
            measure=lambda facts: facts.evicted or 0,
            threshold=0,
            action="set maxmemory-policy noeviction; jobs may be lost (stockyard doctor)",
        ),
    )


def _unattended(health: QueueHealth) -> float:
    return 0 if health.workers or health.paused else health.waiting


def _memory_share(facts: ServerFacts) -> float:
    return (facts.used_memory or 0) / facts.maxmemory if facts.maxmemory else 0.0

"""Exports metrics to Prometheus: the server's, read once per scrape, and this process's counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.core import Metric as Family

from stockyard._aio.repeats import repeats
from stockyard._store.inspecting import ServerFacts
from stockyard.cache.stats import CacheStats
from stockyard.consume.worker_metrics import BUCKETS, Histogram, WorkerMetrics
from stockyard.errors import ServerError
from stockyard.limits.stats import LimitsStats
from stockyard.observe.health import QueueHealth
from stockyard.observe.metrics import definitions
from stockyard.observe.metrics.definitions import Metric
from stockyard.observe.metrics.outbox_figures import OutboxFigures
from stockyard.pubsub.stats import ChannelStats

_log = logging.getLogger(__name__)

_FAMILIES = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
    "info": InfoMetricFamily,
    "histogram": HistogramMetricFamily,
}
_OF_CACHES = {
    definitions.CACHE_HITS: "hits",
    definitions.CACHE_NEAR_HITS: "near_hits",
    definitions.CACHE_MISSES: "misses",
    definitions.CACHE_LOADS: "loads",
    definitions.CACHE_STALE: "stale",
    definitions.CACHE_WAITS: "waits",
    definitions.CACHE_ERRORS: "errors",
    definitions.CACHE_EVICTIONS: "evictions",
    definitions.CACHE_BYTES: "bytes",
    definitions.CACHE_ENTRIES: "entries",
}
_OF_CHANNELS = {
    definitions.CHANNEL_PUBLISHED: "published",
    definitions.CHANNEL_RECEIVED: "received",
    definitions.CHANNEL_DELIVERED: "delivered",
    definitions.CHANNEL_DROPPED: "dropped",
    definitions.CHANNEL_GAPS: "gaps",
    definitions.CHANNEL_INVALID: "invalid",
    definitions.CHANNEL_RECONNECTS: "reconnects",
    definitions.CHANNEL_ACKNOWLEDGED: "acknowledged",
    definitions.CHANNEL_DEAD: "dead",
}
_OF_LIMITS = {
    definitions.LIMIT_FROZEN: "frozen_seconds",
    definitions.LIMIT_WAITING: "waiting",
    definitions.LIMIT_ADMITTED: "admitted",
    definitions.LIMIT_WAITED: "waited",
    definitions.LIMIT_WAIT_SECONDS: "wait_seconds",
    definitions.LIMIT_FREEZES: "freezes",
}
_OF_USAGE = {definitions.LIMIT_USED: "used", definitions.LIMIT_LEFT: "left"}
_OF_OUTBOXES = {
    definitions.OUTBOX_OLDEST: "oldest_seconds",
    definitions.OUTBOX_FAILED: "failed",
    definitions.OUTBOX_RELAYED: "relayed",
    definitions.OUTBOX_LED: "is_led",
    definitions.OUTBOX_STUCK: "is_stuck",
}
_BOUNDS = [*(f"{bound:g}" for bound in BUCKETS), "+Inf"]


class ServerSnapshot(NamedTuple):
    """What the server holds at one moment.

    Attributes:
        queues: snapshots of all queues, read in one round trip.
        servers: what it says of itself, or each primary of a cluster, as far as it answers.
        firing: rule and subject of each alert that fires.
        versions: queue and payload version -> jobs that have not ended.
    """

    queues: Sequence[QueueHealth]
    servers: Sequence[ServerFacts]
    firing: Sequence[tuple[str, str]]
    versions: Mapping[tuple[str, str], int] = MappingProxyType({})


class WorkerFigures(NamedTuple):
    """One worker of this process: its queue, what it counted, how much it does."""

    queue: str
    metrics: WorkerMetrics
    running: int
    concurrency: int


class Exporter:
    """A collector for a ``prometheus_client`` registry.

    Args:
        shared: reads the server; blocks. None exports this process alone.
        workers: the workers of this process.
        caches, channels, limits: what those of this process did, by name.
        outboxes: reads those that are relayed from this process, by name; blocks. None where a database is away.
    """

    def __init__(
        self,
        *,
        shared: Callable[[], ServerSnapshot] | None,
        workers: Callable[[], Iterable[WorkerFigures]],
        caches: Callable[[], Mapping[str, CacheStats]] = dict,
        channels: Callable[[], Mapping[str, ChannelStats]] = dict,
        limits: Callable[[], Mapping[str, LimitsStats]] = dict,
        outboxes: Callable[[], Mapping[str, OutboxFigures | None]] = dict,
    ) -> None:
        self._shared = shared
        self._workers = workers
        self._caches = caches
        self._channels = channels
        self._limits = limits
        self._outboxes = outboxes

    def describe(self) -> Iterator[Family]:
        """Return the families without their values, so that a registry need not ask the server for them."""
        return (_family(metric) for metric in definitions.METRICS)

    def collect(self) -> Iterator[Family]:
        """Return every family; ``stockyard_server_up`` is 0 when the server does not answer."""
        if self._shared is not None:
            yield from self._of_server(self._shared)
        yield from _of_workers(list(self._workers()))
        yield from _of_named(_OF_CACHES, self._caches())
        yield from _of_named(_OF_CHANNELS, self._channels())
        yield from _of_limits(self._limits())
        yield from _of_outboxes(self._outboxes())

    def _of_server(self, read: Callable[[], ServerSnapshot]) -> Iterator[Family]:
        try:
            shared = read()
        except ServerError as error:
            repeats.warn(_log, "metrics of the server are missing", error)
            yield _filled(definitions.UP, {(): 0})
            return
        yield _filled(definitions.UP, {(): 1})
        queues, servers = shared.queues, shared.servers
        yield _filled(
            definitions.JOBS, {(queue.name, state): n for queue in queues for state, n in _states(queue)}
        )
        yield _filled(definitions.PAUSED, {(queue.name,): float(queue.paused) for queue in queues})
        yield _filled(definitions.OLDEST, {(queue.name,): queue.oldest_waiting_age for queue in queues})
        yield _filled(definitions.LONGEST, {(queue.name,): queue.longest_active for queue in queues})
        yield _filled(definitions.LATE, {(queue.name,): queue.schedule_late for queue in queues})
        yield _filled(definitions.FLEET_COMPLETED, {(queue.name,): queue.completed_total for queue in queues})
        yield _filled(definitions.FLEET_FAILED, {(queue.name,): queue.failed_total for queue in queues})
        yield _filled(definitions.COALESCED, {(queue.name,): queue.replaced_total for queue in queues})
        yield _filled(definitions.EXPIRED, {(queue.name,): queue.expired_total for queue in queues})
        yield _filled(definitions.DROPPED, {(queue.name,): queue.dropped_total for queue in queues})
        yield _filled(definitions.REFUSED, {(queue.name,): queue.refused_total for queue in queues})
        yield _filled(definitions.WORKERS, {(queue.name,): queue.workers for queue in queues})
        yield _filled(definitions.UNREADABLE, {(queue.name,): len(queue.damage) for queue in queues})
        yield _filled(definitions.EFFECTS_UNKNOWN, {(queue.name,): queue.effects_unknown for queue in queues})
        yield _filled(definitions.EFFECTS_OLDEST, {(queue.name,): queue.oldest_unknown_age for queue in queues})
        yield _filled(definitions.NOT_UNDERSTOOD, {(queue.name,): queue.not_understood for queue in queues})
        yield _filled(definitions.BY_VERSION, {(*labels,): jobs for labels, jobs in shared.versions.items()})
        yield _filled(
            definitions.CANARY_SHARE,
            {(queue.name, str(queue.canary)): queue.canary_share for queue in queues if queue.canary is not None},
        )
        yield _filled(definitions.HALTED, {(queue.name,): float(queue.halted) for queue in queues})
        yield _filled(definitions.HALTED_KEYS, {(queue.name,): queue.halted_keys for queue in queues})
        yield _filled(
            definitions.BREAKER_OPEN, {(queue.name,): float(queue.breaker != "closed") for queue in queues}
        )
        yield _filled(definitions.KEYS_PARKED, {(queue.name,): queue.parked_keys for queue in queues})
        yield _filled(definitions.MEMORY, _by_node(servers, "used_memory"))
        yield _filled(definitions.MAXMEMORY, _by_node(servers, "maxmemory"))
        yield _filled(definitions.EVICTED, _by_node(servers, "evicted"))
        yield _filled(definitions.DELAYED_FSYNC, _by_node(servers, "delayed_fsync"))
        yield _filled(definitions.CLIENTS, _by_node(servers, "clients"))
        policy = _family(definitions.POLICY)
        for facts in servers:
            version = f"{facts.product or 'unknown'} {facts.version or ''}".strip()
            node = {"node": facts.node} if facts.node else {}
            policy.add_metric([], {**node, "policy": facts.policy or "unknown", "version": version})
        yield policy
        yield _filled(definitions.ALERTS, dict.fromkeys(shared.firing, 1))


def _of_workers(workers: Sequence[WorkerFigures]) -> Iterator[Family]:
    counts: dict[Metric, dict[tuple[str, ...], float]] = {}
    histograms: dict[Metric, dict[tuple[str, ...], list[Histogram]]] = {definitions.WAIT: {}, definitions.RUN: {}}

    def count(metric: Metric, labels: tuple[str, ...], number: float) -> None:
        values = counts.setdefault(metric, {})
        values[labels] = values.get(labels, 0) + number

    for worker in workers:
        count(definitions.RUNNING, (worker.queue,), worker.running)
        count(definitions.CONCURRENCY, (worker.queue,), worker.concurrency)
        count(definitions.STALLED, (worker.queue,), worker.metrics.stalled)
        count(definitions.ABANDONED, (worker.queue,), worker.metrics.abandoned)
        count(definitions.HUNG, (worker.queue,), worker.metrics.hung)
        count(definitions.LOOP_BLOCKED, (worker.queue,), worker.metrics.blocked)
        count(definitions.LOOP_BLOCKED_SECONDS, (worker.queue,), worker.metrics.blocked_seconds)
        for name, counters in worker.metrics.by_name():
            labels = worker.queue, name
            count(definitions.COMPLETED, labels, counters.completed)
            count(definitions.FAILED, labels, counters.failed)
            count(definitions.RETRIED, labels, counters.retried)
            count(definitions.EXPIRED_HERE, labels, counters.expired)
            count(definitions.REQUEUED, labels, counters.requeued)
            count(definitions.DELAYED, labels, counters.delayed)
            count(definitions.WAITING_CHILDREN, labels, counters.waiting_children)
            count(definitions.BATCHES, labels, counters.batches)
            histograms[definitions.WAIT].setdefault(labels, []).append(counters.wait)
            histograms[definitions.RUN].setdefault(labels, []).append(counters.run)
    for metric, values in counts.items():
        yield _filled(metric, values)
    for metric, found in histograms.items():
        family = _family(metric)
        for at, several in found.items():
            family.add_metric(list(at), _cumulative(several), sum(each.total for each in several))
        yield family


def _of_named(metrics: Mapping[Metric, str], stats: Mapping[str, object]) -> Iterator[Family]:
    for metric, attribute in metrics.items():
        yield _filled(metric, {(name,): float(getattr(each, attribute)) for name, each in stats.items()})


def _of_limits(stats: Mapping[str, LimitsStats]) -> Iterator[Family]:
    for metric, attribute in _OF_USAGE.items():
        values: dict[tuple[str, ...], float] = {
            (name, usage.limit, usage.scope): float(getattr(usage, attribute))
            for name, each in stats.items()
            for usage in each.usage
        }
        yield _filled(metric, values)
    yield from _of_named(_OF_LIMITS, stats)


def _of_outboxes(outboxes: Mapping[str, OutboxFigures | None]) -> Iterator[Family]:
    read = {name: figures for name, figures in outboxes.items() if figures is not None}
    yield _filled(definitions.OUTBOX_UP, {(name,): float(name in read) for name in outboxes})
    pending: dict[tuple[str, ...], float] = {
        (name, queue): jobs for name, each in read.items() for queue, jobs in each.pending.items()
    }
    yield _filled(definitions.OUTBOX_PENDING, pending)
    yield from _of_named(_OF_OUTBOXES, read)


def _cumulative(histograms: Sequence[Histogram]) -> list[tuple[str, int]]:
    buckets, below = [], 0
    for bound, numbers in zip(
        _BOUNDS, zip(*(histogram.counts for histogram in histograms), strict=True), strict=True
    ):
        below += sum(numbers)
        buckets.append((bound, below))
    return buckets


def _states(health: QueueHealth) -> list[tuple[str, int]]:
    # Prioritized jobs are a part of those that wait: here each job counts once.
    return [
        ("waiting", health.waiting - health.prioritized),
        ("prioritized", health.prioritized),
        ("active", health.active),
        ("delayed", health.delayed),
        ("waiting-children", health.waiting_children),
        ("completed", health.completed),
        ("failed", health.failed),
    ]


def _by_node(servers: Sequence[ServerFacts], fact: str) -> dict[tuple[str, ...], float]:
    """Return what each node of a cluster says; a single server has no label, and what is hidden is left out."""
    values = {(facts.node,) if facts.node else (): getattr(facts, fact) for facts in servers}
    return {labels: value for labels, value in values.items() if value is not None}


def _family(metric: Metric) -> Any:
    labels = () if metric.kind == "info" else metric.labels
    name = metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name
    return _FAMILIES[metric.kind](name, metric.help, labels=labels)


def _filled(metric: Metric, values: Mapping[tuple[str, ...], float]) -> Family:
    family = _family(metric)
    for labels, value in values.items():
        family.add_metric(list(labels), value)
    filled: Family = family
    return filled

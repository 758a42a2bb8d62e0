"""What one App shows of itself: its queues and server, alerts, metrics, and the life of its workers."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from stockyard._aio.cached_property import CachedProperty
from stockyard._aio.portal import Portal
from stockyard._aio.repeats import repeats
from stockyard._store.alerts import AlertKeyspace
from stockyard._store.audit import AuditKeyspace
from stockyard._store.jobs.merging import merged_facts
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard._store.overview import read_overview
from stockyard._store.shard_map import ShardMap
from stockyard.cache.stats import CacheStats
from stockyard.consume.heartbeat import HealthCheck
from stockyard.consume.hooks import Hooks
from stockyard.consume.recover.stalled import StalledJobRecoverer
from stockyard.consume.worker import Worker
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.errors import ServerError, ServerRefused
from stockyard.model.clock import Clock
from stockyard.model.naming import Naming
from stockyard.pubsub.stats import ChannelStats
from stockyard.topology import QueueSpec, Topology

if TYPE_CHECKING:
    from stockyard._store.inspecting_sets import QueuePlace
    from stockyard.consume.recover.orphans import Recoverers
    from stockyard.limits.stats import LimitsStats
    from stockyard.observe.alerts.monitor import AlertMonitor
    from stockyard.observe.alerts.rules import Alert, Rule
    from stockyard.observe.alerts.settings import AlertSettings
    from stockyard.observe.alerts.store import AlertStore
    from stockyard.observe.audit import AuditLog
    from stockyard.observe.metrics.exporter import WorkerFigures
    from stockyard.observe.metrics.metrics_server import MetricsServer
    from stockyard.observe.metrics.outbox_figures import OutboxFigures
    from stockyard.observe.overview import Overview

_log = logging.getLogger(__name__)

_MOST_COUNTED = 10_000
"""Jobs of a queue that are counted by their payload version for each look at the metrics."""


class WatchedOutbox(Protocol):
    """An outbox that is relayed from this process.

    Attributes:
        name: of its table.
    """

    name: str

    def figures(self) -> OutboxFigures | None:
        """Return what it holds; blocks, and is None when its database does not say."""

    def health_check(self) -> HealthCheck:
        """Return the sign of life of its relay."""


class AppMonitor:
    """The view of one App.

    Args:
        topology: its queues.
        server: where they are.
        naming: how keys are spelled.
        shard_map: gives the shards of a queue.
        workers: gives those that it made and that are still of use.
        others: what no worker that is left has counted, by queue: that of those that are gone is added to it, and
            that of our own sweepers.
        caches, channels, limits: give what these did in this process, by name.
        portal: runs what other threads ask of the server.
        clock: gives the time that is written.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        server: Server,
        naming: Naming,
        shard_map: Callable[[QueueSpec], ShardMap],
        workers: Callable[[], Iterable[Worker]],
        others: dict[str, WorkerMetrics],
        caches: Callable[[], Mapping[str, CacheStats]],
        channels: Callable[[], Mapping[str, ChannelStats]],
        limits: Callable[[], Mapping[str, LimitsStats]],
        portal: Portal,
        clock: Clock,
    ) -> None:
        self._topology = topology
        self._server = server
        self._naming = naming
        self._shard_map = shard_map
        self._workers = workers
        self._caches = caches
        self._channels = channels
        self._limits = limits
        self._portal = portal
        self._clock = clock
        self._alert_keyspace = AlertKeyspace(server, naming, topology.name)
        self._others = others
        self._outboxes: list[WatchedOutbox] = []

    # Made when asked for: a worker's first job does not wait for their modules.
    @CachedProperty
    def alerts(self) -> AlertStore:
        """The incidents and silences of the topology."""
        from stockyard.observe.alerts.store import AlertStore

        return AlertStore(self._alert_keyspace, clock=self._clock)

    @CachedProperty
    def audit(self) -> AuditLog:
        """Who did what to the queues of the topology."""
        from stockyard.observe.audit import AuditLog

        return AuditLog(AuditKeyspace(self._server, self._naming, self._topology.name))

    async def overview(self) -> Overview:
        """Return queues, servers and incidents as they are now; of a single server in one round trip."""
        overview, _ = await self._look()
        return overview

    async def places(self) -> list[QueuePlace]:
        """Return in which slot of a cluster each queue is, and at which node; nothing on a single server.

        Raises:
            ServerUnavailable: no node says who serves a slot.
        """
        from stockyard._store.inspecting_sets import read_places

        if self._server.address.kind != "cluster":
            return []
        queues = [await self._shard_map(spec).learn() for spec in self._topology]
        return await read_places([each for queue in queues for each in queue])

    async def _look(self) -> tuple[Overview, dict[str, bool]]:
        """Return the overview, and of which queues the longest run, of some shard, has no lease."""
        from stockyard.observe.alerts.store import incidents_of, note_unreadable
        from stockyard.observe.health import by_queue, health_of, limits_health_of
        from stockyard.observe.overview import Overview

        specs = list(self._topology)
        if not self._server.clock.is_known:
            await self._server.learn_time()
        queues = [await self._shard_map(spec).learn() for spec in specs]
        seen = await read_overview(
            self._server,
            [each for queue in queues for each in queue],
            self._alert_keyspace,
            naming=self._naming,
        )
        now = self._clock()
        facts = by_queue(queues, seen.queues)
        health = [
            health_of(spec.name, merged_facts(shards), now) for spec, shards in zip(specs, facts, strict=True)
        ]
        orphaned = {
            spec.name: any(each.running_id and not each.is_held for each in shards)
            for spec, shards in zip(specs, facts, strict=True)
        }
        if seen.refused:
            note_unreadable("incidents", seen.refused)
        limits = [limits_health_of(each, now) for each in seen.limits]
        return Overview(health, seen.servers, incidents_of(seen.incidents), limits), orphaned

    def alert_monitor(self, settings: AlertSettings, rules: Sequence[Rule] | None) -> AlertMonitor:
        """Make a monitor of alerts; it also recovers the jobs of dead workers where no other worker is."""
        from stockyard.consume.recover.orphans import OrphanRecoverer
        from stockyard.observe.alerts.default_rules import every_rule
        from stockyard.observe.alerts.monitor import AlertMonitor
        from stockyard.observe.alerts.recent import RecentIncrease
        from stockyard.observe.alerts.rules import evaluate_alerts

        chosen = every_rule(self._topology, settings.thresholds) if rules is None else rules
        delayed_fsync: defaultdict[str, RecentIncrease] = defaultdict(RecentIncrease)
        orphans = OrphanRecoverer({spec.name: self._recoverer(spec) for spec in self._topology})

        async def look() -> list[Alert]:
            try:
                seen, orphaned = await self._look()
            except ServerError:
                orphans.forget()
                raise
            orphans.note(orphaned, now=time.monotonic())
            now = time.monotonic()
            servers = [
                facts._replace(recent_delayed_fsync=delayed_fsync[facts.node].add(facts.delayed_fsync, now))
                for facts in seen.servers
            ]
            return evaluate_alerts(chosen, seen.queues, servers, seen.limits)

        return AlertMonitor(
            self.alerts,
            rules=chosen,
            look=look,
            notifiers=settings.notifiers,
            interval=settings.interval,
            clock=self._clock,
            beside=[orphans],
        )

    def read(self) -> Overview:
        """Return the overview to another thread than the server's."""
        return self._portal.run(self._measured())

    async def _measured(self) -> Overview:
        """Return the overview with how many jobs there are of each payload version."""
        from stockyard._store.jobs.versioning import count_versions

        overview = await self.overview()
        counted: dict[tuple[str, str], int] = {}
        for spec in self._topology:
            if not spec.versions:
                continue
            (keyspace,) = await self._shard_map(spec).learn()
            try:
                found, left_out = await count_versions(keyspace, _MOST_COUNTED)
            except ServerRefused as error:
                repeats.warn(_log, f"payload versions of queue {spec.name}", error)
                continue
            # A job that moved between the parts of the look may be missing, and there was one.
            counted |= {(spec.name, str(each.version)): each.total or int(each.moving) for each in found}
            counted[spec.name, "unknown"] = left_out
        return overview._replace(versions=counted)

    def figures(self) -> list[WorkerFigures]:
        """Return what the workers of this process did and do."""
        from stockyard.observe.metrics.exporter import WorkerFigures

        # Held until all is read, so that none goes in between and is counted twice.
        workers = list(self._workers())
        return [
            *(WorkerFigures(each.queue, each.metrics, each.running, each.concurrency) for each in workers),
            *(
                WorkerFigures(name, metrics, 0, 0)
                for name, metrics in list(self._others.items())
                if metrics.stalled or metrics.abandoned or metrics.by_name()
            ),
        ]

    def health_checks(self) -> list[HealthCheck]:
        """Return the signs of life of all workers that have not stopped, and of relays of outboxes."""
        workers = list(self._workers())
        health_checks = [check for worker in workers for check in worker.health_checks()]
        if workers and not health_checks:
            health_checks = [HealthCheck("workers", False, "all have stopped", is_fatal=False)]
        return [*health_checks, *(outbox.health_check() for outbox in list(self._outboxes))]

    def watch_outbox(self, outbox: WatchedOutbox) -> None:
        """Show an outbox, too, while its relay runs."""
        self._outboxes.append(outbox)

    def forget_outbox(self, outbox: WatchedOutbox) -> None:
        """Show an outbox no more."""
        self._outboxes.remove(outbox)

    def outboxes(self) -> dict[str, OutboxFigures | None]:
        """Return what the outboxes hold, to another thread than the server's."""
        return {outbox.name: outbox.figures() for outbox in list(self._outboxes)}

    def caches(self) -> Mapping[str, CacheStats]:
        """Return what the caches did in this process."""
        return self._caches()

    def channels(self) -> Mapping[str, ChannelStats]:
        """Return what the channels did in this process."""
        return self._channels()

    def limits(self) -> Mapping[str, LimitsStats]:
        """Return what this process did with limits of exchanges."""
        return self._limits()

    def _recoverer(self, spec: QueueSpec) -> Recoverers:
        from stockyard.consume.recover.orphans import Recoverers

        shard_map = self._shard_map(spec)
        return Recoverers(lambda: [self._stalled_jobs(spec, keyspace) for keyspace in shard_map.all])

    def _stalled_jobs(self, spec: QueueSpec, keyspace: QueueKeyspace) -> StalledJobRecoverer:
        return StalledJobRecoverer(
            keyspace,
            interval_ms=max(spec.lock_ms // 2, 10),
            max_stalled=spec.max_stalled,
            hooks=Hooks(),
            metrics=self._others.setdefault(spec.name, WorkerMetrics()),
            at_most_once=spec.delivery == "at_most_once",
        )


def metrics_server(monitors: Sequence[AppMonitor], *, host: str, port: int) -> MetricsServer:
    """Make the server of metrics and health of one process.

    Args:
        monitors: of its Apps; where several report one thing, the last report counts.
        host, port: where to listen.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    from stockyard.observe.metrics.exporter import Exporter
    from stockyard.observe.metrics.metrics_server import MetricsServer
    from stockyard.observe.overview import merged

    def health_checks() -> list[HealthCheck]:
        return [check for monitor in monitors for check in monitor.health_checks()]

    return MetricsServer(
        Exporter(
            shared=lambda: merged([monitor.read() for monitor in monitors]).snapshot(),
            workers=lambda: [figures for monitor in monitors for figures in monitor.figures()],
            caches=lambda: {name: stats for monitor in monitors for name, stats in monitor.caches().items()},
            channels=lambda: {name: stats for monitor in monitors for name, stats in monitor.channels().items()},
            limits=lambda: {name: stats for monitor in monitors for name, stats in monitor.limits().items()},
            outboxes=lambda: {name: found for monitor in monitors for name, found in monitor.outboxes().items()},
        ),
        live=lambda: [each for each in health_checks() if each.is_fatal],
        ready=health_checks,
        host=host,
        port=port,
    )

"""What one App shows of itself: its queues and server, alerts, metrics, and the life of its workers."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from stockyard._aio.portal import Portal
from stockyard._store.alerts import AlertKeyspace
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard._store.overview import read_overview
from stockyard.cache.stats import CacheStats
from stockyard.consume.heartbeat import HealthCheck
from stockyard.consume.hooks import Hooks
from stockyard.consume.recover.stalled import StalledJobRecoverer
from stockyard.consume.worker import Worker
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.errors import ServerError
from stockyard.model.clock import Clock
from stockyard.model.naming import Naming
from stockyard.observe.alerts.store import AlertStore, incidents_of, note_unreadable
from stockyard.observe.health import health_of
from stockyard.observe.overview import Overview, merged
from stockyard.pubsub.stats import ChannelStats
from stockyard.topology import QueueSpec, Topology

if TYPE_CHECKING:
    from stockyard.observe.alerts.monitor import AlertMonitor
    from stockyard.observe.alerts.rules import Alert, Rule
    from stockyard.observe.alerts.settings import AlertSettings
    from stockyard.observe.metrics.exporter import WorkerFigures
    from stockyard.observe.metrics.metrics_server import MetricsServer


class AppMonitor:
    """The view of one App.

    Args:
        topology: its queues.
        server: where they are.
        naming: how keys are spelled.
        keyspace: gives a queue's keys.
        workers: gives those that it made and that are still of use.
        caches, channels: give what these did in this process, by name.
        portal: runs what other threads ask of the server.
        clock: gives the time that is written.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        server: Server,
        naming: Naming,
        keyspace: Callable[[QueueSpec], QueueKeyspace],
        workers: Callable[[], Iterable[Worker]],
        caches: Callable[[], Mapping[str, CacheStats]],
        channels: Callable[[], Mapping[str, ChannelStats]],
        portal: Portal,
        clock: Clock,
    ) -> None:
        self._topology = topology
        self._server = server
        self._keyspace = keyspace
        self._workers = workers
        self._caches = caches
        self._channels = channels
        self._portal = portal
        self._clock = clock
        self._alert_keyspace = AlertKeyspace(server, naming, topology.name)
        # What no worker that is left has counted: by those that are gone, and by our own sweepers.
        self._others: defaultdict[str, WorkerMetrics] = defaultdict(WorkerMetrics)
        self.alerts: AlertStore = AlertStore(self._alert_keyspace, clock=clock)

    async def overview(self) -> Overview:
        """Return queues, server and incidents as they are now, in one round trip."""
        specs = list(self._topology)
        if not self._server.clock.is_known:
            await self._server.learn_time()
        seen = await read_overview(self._server, [self._keyspace(spec) for spec in specs], self._alert_keyspace)
        now = self._clock()
        queues = [health_of(spec.name, facts, now) for spec, facts in zip(specs, seen.queues, strict=True)]
        if seen.refused:
            note_unreadable("incidents", seen.refused)
        return Overview(queues, seen.server, incidents_of(seen.incidents))

    def alert_monitor(self, settings: AlertSettings, rules: Sequence[Rule] | None) -> AlertMonitor:
        """Make a monitor of alerts; it also recovers the jobs of dead workers where no other worker is."""
        from stockyard.consume.recover.orphans import OrphanRecoverer
        from stockyard.observe.alerts.default_rules import every_rule
        from stockyard.observe.alerts.monitor import AlertMonitor
        from stockyard.observe.alerts.recent import RecentIncrease
        from stockyard.observe.alerts.rules import evaluate_alerts

        chosen = every_rule(self._topology, settings.thresholds) if rules is None else rules
        delayed_fsync = RecentIncrease()
        orphans = OrphanRecoverer({spec.name: self._recoverer(spec) for spec in self._topology})

        async def look() -> list[Alert]:
            try:
                seen = await self.overview()
            except ServerError:
                orphans.forget()
                raise
            orphans.note(
                {queue.name: not queue.longest_active_held for queue in seen.queues}, now=time.monotonic()
            )
            recent = delayed_fsync.add(seen.server.delayed_fsync, time.monotonic())
            return evaluate_alerts(chosen, seen.queues, seen.server._replace(recent_delayed_fsync=recent))

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
        return self._portal.run(self.overview())

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

    def retire(self, queue: str, metrics: WorkerMetrics) -> None:
        """Keep what a worker counted that is gone: a process counts from its own start."""
        self._others[queue].add(metrics)

    def health_checks(self) -> list[HealthCheck]:
        """Return the signs of life of all workers that have not stopped."""
        workers = list(self._workers())
        health_checks = [check for worker in workers for check in worker.health_checks()]
        if workers and not health_checks:
            return [HealthCheck("workers", False, "all have stopped", is_fatal=False)]
        return health_checks

    def caches(self) -> Mapping[str, CacheStats]:
        """Return what the caches did in this process."""
        return self._caches()

    def channels(self) -> Mapping[str, ChannelStats]:
        """Return what the channels did in this process."""
        return self._channels()

    def _recoverer(self, spec: QueueSpec) -> StalledJobRecoverer:
        return StalledJobRecoverer(
            self._keyspace(spec),
            interval_ms=max(spec.lock_ms // 2, 10),
            max_stalled=spec.max_stalled,
            hooks=Hooks(),
            metrics=self._others[spec.name],
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

    def health_checks() -> list[HealthCheck]:
        return [check for monitor in monitors for check in monitor.health_checks()]

    return MetricsServer(
        Exporter(
            shared=lambda: merged([monitor.read() for monitor in monitors]).snapshot(),
            workers=lambda: [figures for monitor in monitors for figures in monitor.figures()],
            caches=lambda: {name: stats for monitor in monitors for name, stats in monitor.caches().items()},
            channels=lambda: {name: stats for monitor in monitors for name, stats in monitor.channels().items()},
        ),
        live=lambda: [each for each in health_checks() if each.is_fatal],
        ready=health_checks,
        host=host,
        port=port,
    )

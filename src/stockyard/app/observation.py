"""What an App offers to those who look at it: health, alerts, metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard.app.runtime import Runtime
    from stockyard.observe.alerts.monitor import AlertMonitor
    from stockyard.observe.alerts.rules import Rule
    from stockyard.observe.alerts.settings import AlertSettings
    from stockyard.observe.alerts.store import AlertStore
    from stockyard.observe.app_monitor import AppMonitor
    from stockyard.observe.doctor.finding import Finding
    from stockyard.observe.health import QueueHealth
    from stockyard.observe.metrics.metrics_server import MetricsServer
    from stockyard.topology import Topology


class Observation:
    """The read side of an App: its queues, its server, its alerts and its metrics."""

    topology: Topology
    _metrics_servers: list[MetricsServer]
    _runtime: Callable[[], Runtime]

    async def health(self, *names: str) -> list[QueueHealth]:
        """Return snapshots of the named queues, or of all, in one round trip."""
        specs = [self.topology.spec(name) for name in names] or list(self.topology)
        return await self._runtime().health(specs)

    async def check_server(self) -> list[Finding]:
        """Return what ``stockyard doctor`` finds of the server and of one for caches alone, the dangers first."""
        return await self._runtime().check_server()

    def alert_monitor(
        self, settings: AlertSettings | None = None, *, rules: Sequence[Rule] | None = None
    ) -> AlertMonitor:
        """Make a monitor of this app's queues and server; ``await alert_monitor.start()`` begins.

        Of all monitors of a topology on a server and prefix, in whatever process, one is the leader and looks. It
        also recovers the jobs of dead workers of queues that have no other worker.

        Args:
            settings: thresholds, notifiers, interval. Defaults to those of the environment and ``.env``.
            rules: Defaults to the platform's three and the operational ones, with the settings' thresholds.
        """
        from stockyard.observe.alerts.settings import AlertSettings

        return self.monitor.alert_monitor(settings or AlertSettings.load(), rules)

    @property
    def alerts(self) -> AlertStore:
        """Incidents, silences and history, shared by all processes of this topology, server and prefix."""
        return self.monitor.alerts

    def serve_metrics(self, host: str = "127.0.0.1", port: int = 0) -> MetricsServer:
        """Answer ``/metrics``, ``/live`` and ``/ready`` from a thread, until this app is closed.

        Args:
            host: where to listen. Defaults to this machine alone.
            port: Defaults to one that is free; what is returned says which.

        Raises:
            ConfigError: the address cannot be listened on.
            InvalidOption: the host is no text, or the port is out of its range.
        """
        from stockyard.observe.app_monitor import metrics_server

        server = metrics_server([self.monitor], host=host, port=port)
        server.start()
        self._metrics_servers.append(server)
        return server

    @property
    def monitor(self) -> AppMonitor:
        """The monitor of this app: for alerts, metrics and probes."""
        return self._runtime().monitor

"""The platform's three alerts as rules."""

from __future__ import annotations

from stockyard.model.duration import Duration
from stockyard.observe.alerts.default_rules import Thresholds, queue_rules
from stockyard.observe.alerts.rules import AlertRule
from stockyard.topology import Topology
from stockyard.trading.queues import PLATFORM


def alert_rules(
    *, waiting: int = 100, failed: int = 50, active: Duration = "5m", topology: Topology = PLATFORM
) -> tuple[AlertRule, ...]:
    """Return the rules; give them with snapshots to ``stockyard.alerts.evaluate_alerts``.

    Args:
        waiting: jobs that may wait in a high-priority queue. Defaults to 100.
        failed: failed jobs that any queue may keep. Defaults to 50.
        active: how long a job may run. Defaults to 5 minutes.
        topology: says which queues are high-priority. Defaults to the platform.

    Raises:
        InvalidOption: ``active`` is no duration.

    Example:
        alerts = evaluate(alert_rules(waiting=500), await get_all_queues_health())
    """
    return queue_rules(topology, Thresholds(waiting=waiting, failed=failed, active=active))


ALERT_RULES = alert_rules()
"""The platform's alerts with their documented thresholds."""

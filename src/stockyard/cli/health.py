"""`stockyard health`: counts and alerts of the queues; the exit status is 1 if an alert fires."""

from __future__ import annotations

from collections.abc import Sequence

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import complain, seconds, show_json, show_table
from stockyard.cli.options import AsJson
from stockyard.cli.top_frame import damage_of, shown_name
from stockyard.observe.alerts.default_rules import every_rule
from stockyard.observe.alerts.incidents import Status
from stockyard.observe.alerts.rules import Alert, Rule, evaluate_alerts
from stockyard.observe.alerts.settings import AlertSettings
from stockyard.observe.health import QueueHealth
from stockyard.observe.overview import Overview


async def health(*names: str, connection: Connection = DEFAULT, json: AsJson = False) -> int:
    """Show queues and alerts, by every rule and the thresholds of STOCKYARD_ALERT_*; the exit status is 0 when no
    rule holds and every key can be read, else 1.

    Args:
        names: the queues. Defaults to all.
    """
    seen, alerts, pending = await _read(names, connection)
    snapshots, damage = seen.queues, damage_of(seen.queues)
    if json:
        show_json({"queues": snapshots, "limits": seen.limits, "alerts": alerts, "pending": pending})
    else:
        columns = ("queue", "waiting", "active", "delayed", "completed", "failed", "oldest", "longest", "workers")
        show_table(columns, map(_row, snapshots), right=columns[1:])
        for what in damage:
            complain(f"DAMAGE  {what}")
        for alert in alerts:
            complain(f"ALERT  {alert.message}")
        for alert in pending:
            complain(f"PENDING  {alert.message}")
    return 1 if alerts or damage else 0


async def _read(names: tuple[str, ...], connection: Connection) -> tuple[Overview, list[Alert], list[Alert]]:
    """Return what is seen, the alerts that fire, and those that have not held for long enough."""
    thresholds = AlertSettings.load().thresholds
    async with connection.open() as app:
        chosen = [app.topology.spec(name).name for name in names] or list(app.topology.names)
        seen = await app.monitor.overview()
        seen = seen._replace(queues=[queue for queue in seen.queues if queue.name in chosen])
        rules = every_rule(app.topology, thresholds)
        alerts = evaluate_alerts(rules, seen.queues, seen.servers, seen.limits)
        early = {id(alert) for alert in alerts if not _has_held(alert, rules, seen)}
        return (
            seen,
            [alert for alert in alerts if id(alert) not in early],
            [alert for alert in alerts if id(alert) in early],
        )


def _has_held(alert: Alert, rules: Sequence[Rule], seen: Overview) -> bool:
    """Say whether an alert holds for as long as its rule asks, as far as one look can know."""
    longest = next(rule.for_ms for rule in rules if rule.name == alert.rule)
    known = any(
        incident.status is Status.FIRING and (incident.rule, incident.subject) == (alert.rule, alert.queue)
        for incident in seen.incidents
    )
    waits = max((queue.oldest_waiting_age for queue in seen.queues if queue.name == alert.queue), default=0.0)
    return known or waits * 1000 >= longest


def _row(health: QueueHealth) -> tuple[object, ...]:
    return (
        shown_name(health),
        health.waiting,
        health.active,
        health.delayed,
        health.completed,
        health.failed,
        seconds(health.oldest_waiting_age),
        seconds(health.longest_active),
        health.workers,
    )

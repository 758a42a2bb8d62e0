"""This module has the rules of alerts, and what they find in snapshots of health."""

from stockyard.observe.alerts.rules import Alert, AlertRule, evaluate_alerts

__all__ = ["Alert", "AlertRule", "evaluate_alerts"]

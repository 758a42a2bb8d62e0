"""What an App, its queues and its server show of themselves: checks, findings, settings and counts."""

from stockyard._store.snapshots import QueueMetrics, QueueSettings, WorkerInfo
from stockyard.consume.heartbeat import HealthCheck
from stockyard.observe.doctor.checks import Finding, Severity
from stockyard.observe.metrics.metrics_server import MetricsServer

__all__ = ["Finding", "HealthCheck", "MetricsServer", "QueueMetrics", "QueueSettings", "Severity", "WorkerInfo"]

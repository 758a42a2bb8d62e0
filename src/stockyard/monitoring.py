"""What an App, its queues and its server show of themselves: checks, findings, settings and counts."""

from stockyard.consume.heartbeat import HealthCheck
from stockyard.observe.doctor.checks import Finding, Severity
from stockyard.observe.metrics.metrics_server import MetricsServer
from stockyard.produce.snapshots import QueueMetrics, QueueSettings, WorkerInfo

__all__ = ["Finding", "HealthCheck", "MetricsServer", "QueueMetrics", "QueueSettings", "Severity", "WorkerInfo"]

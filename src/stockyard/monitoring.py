"""This module shows an App, its queues and its server from outside: checks, findings, settings and counts."""

from stockyard._store.snapshots import (
    Canary,
    JobPosition,
    PayloadVersion,
    QueueMetrics,
    QueueSettings,
    VersionJobs,
    WorkerInfo,
)
from stockyard.consume.heartbeat import HealthCheck
from stockyard.observe.doctor.finding import Finding, Severity
from stockyard.observe.lineage import Lineage, LineageStep, jobs_of_story, lineage_of
from stockyard.observe.metrics.metrics_server import MetricsServer
from stockyard.produce.search import FoundJob, SearchStep

__all__ = [
    "Canary",
    "Finding",
    "FoundJob",
    "HealthCheck",
    "JobPosition",
    "Lineage",
    "LineageStep",
    "MetricsServer",
    "PayloadVersion",
    "QueueMetrics",
    "QueueSettings",
    "SearchStep",
    "Severity",
    "VersionJobs",
    "WorkerInfo",
    "jobs_of_story",
    "lineage_of",
]

"""Stockyard: job queues on BullMQ's Redis protocol, for trading platforms."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard._logging import JsonFormatter, configure_logging
    from stockyard.app import App
    from stockyard.cache import Cache, CacheOptions, CacheStats, CacheUsage, Memo
    from stockyard.config import Settings
    from stockyard.consume.heartbeat import HealthCheck
    from stockyard.consume.hooks import Hooks
    from stockyard.consume.options import WorkerOptions
    from stockyard.consume.run.handler_call import Middleware
    from stockyard.consume.worker import Worker
    from stockyard.errors import (
        AuthenticationFailed,
        BlockingCallRefused,
        ConfigError,
        EmbeddedServerError,
        HandlerError,
        InvalidOption,
        JobCancelled,
        JobError,
        JobFailed,
        JobLocked,
        JobNotFound,
        JobStateError,
        JobTimeout,
        LeaseLost,
        LoadCycle,
        MoveToDelayed,
        MoveToWait,
        NotificationFailed,
        PayloadError,
        QueueStateError,
        RateLimited,
        RemoteHandlerError,
        ReplyLost,
        ResultTimeout,
        RunMoved,
        ScheduleConflict,
        ScheduleNotFound,
        ServerError,
        ServerRefused,
        ServerTooOld,
        ServerUnavailable,
        SharedWorkCancelled,
        StockyardError,
        TlsFailed,
        UnknownQueue,
        UnrecoverableError,
        UnsafeServer,
        WaitForChildren,
        WorkerProcessDied,
    )
    from stockyard.events import QueueEvents
    from stockyard.model.backoff import Backoff, BackoffStrategy
    from stockyard.model.clock import Clock, ManualClock
    from stockyard.model.deduplication import Deduplication
    from stockyard.model.duration import Duration
    from stockyard.model.family import ChildrenPage
    from stockyard.model.flow import Flow, FlowTree
    from stockyard.model.job import Job, JobProcessor, JobState
    from stockyard.model.options import AddOptions, JobOptions
    from stockyard.model.parent import OnFailure, ParentRef
    from stockyard.model.retention import Keep
    from stockyard.model.schedule import Misfire, Overlap, Schedule, Timing
    from stockyard.observe.alerts.rules import Alert, AlertRule, evaluate_alerts
    from stockyard.observe.doctor.checks import Finding, Severity
    from stockyard.observe.health import QueueHealth
    from stockyard.observe.metrics.metrics_server import MetricsServer
    from stockyard.produce.flows import Flows
    from stockyard.produce.queue import Queue
    from stockyard.produce.snapshots import QueueMetrics, QueueSettings, WorkerInfo
    from stockyard.pubsub import Channel, OpenChannel
    from stockyard.schedule.schedules import Schedules
    from stockyard.topology import QueueOptions, QueueSpec, Rate, Router, Topology
else:
    from stockyard._lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "stockyard._logging": "JsonFormatter configure_logging",
            "stockyard.app": "App",
            "stockyard.cache": "Cache CacheOptions CacheStats CacheUsage Memo",
            "stockyard.config": "Settings",
            "stockyard.consume.heartbeat": "HealthCheck",
            "stockyard.consume.hooks": "Hooks",
            "stockyard.consume.options": "WorkerOptions",
            "stockyard.consume.run.handler_call": "Middleware",
            "stockyard.consume.worker": "Worker",
            "stockyard.errors": (
                "AuthenticationFailed BlockingCallRefused ConfigError EmbeddedServerError HandlerError "
                "InvalidOption JobCancelled JobError JobFailed JobLocked JobNotFound JobStateError JobTimeout "
                "LeaseLost LoadCycle MoveToDelayed MoveToWait NotificationFailed PayloadError QueueStateError "
                "RateLimited RemoteHandlerError ReplyLost ResultTimeout RunMoved ScheduleConflict "
                "ScheduleNotFound ServerError ServerRefused ServerTooOld ServerUnavailable "
                "SharedWorkCancelled StockyardError TlsFailed UnknownQueue UnrecoverableError UnsafeServer "
                "WaitForChildren WorkerProcessDied"
            ),
            "stockyard.events": "QueueEvents",
            "stockyard.model.backoff": "Backoff BackoffStrategy",
            "stockyard.model.clock": "Clock ManualClock",
            "stockyard.model.deduplication": "Deduplication",
            "stockyard.model.duration": "Duration",
            "stockyard.model.family": "ChildrenPage",
            "stockyard.model.flow": "Flow FlowTree",
            "stockyard.model.job": "Job JobProcessor JobState",
            "stockyard.model.options": "AddOptions JobOptions",
            "stockyard.model.parent": "OnFailure ParentRef",
            "stockyard.model.retention": "Keep",
            "stockyard.model.schedule": "Misfire Overlap Schedule Timing",
            "stockyard.observe.alerts.rules": "Alert AlertRule evaluate_alerts",
            "stockyard.observe.doctor.checks": "Finding Severity",
            "stockyard.observe.health": "QueueHealth",
            "stockyard.observe.metrics.metrics_server": "MetricsServer",
            "stockyard.produce.flows": "Flows",
            "stockyard.produce.queue": "Queue",
            "stockyard.produce.snapshots": "QueueMetrics QueueSettings WorkerInfo",
            "stockyard.pubsub": "Channel OpenChannel",
            "stockyard.schedule.schedules": "Schedules",
            "stockyard.topology": "QueueOptions QueueSpec Rate Router Topology",
        },
        "cache embedded errors events pubsub topology trading",
    )

__all__ = [
    "AddOptions",
    "Alert",
    "AlertRule",
    "App",
    "AuthenticationFailed",
    "Backoff",
    "BackoffStrategy",
    "BlockingCallRefused",
    "Cache",
    "CacheOptions",
    "CacheStats",
    "CacheUsage",
    "Channel",
    "ChildrenPage",
    "Clock",
    "ConfigError",
    "Deduplication",
    "Duration",
    "EmbeddedServerError",
    "Finding",
    "Flow",
    "FlowTree",
    "Flows",
    "HandlerError",
    "HealthCheck",
    "Hooks",
    "InvalidOption",
    "Job",
    "JobCancelled",
    "JobError",
    "JobFailed",
    "JobLocked",
    "JobNotFound",
    "JobOptions",
    "JobProcessor",
    "JobState",
    "JobStateError",
    "JobTimeout",
    "JsonFormatter",
    "Keep",
    "LeaseLost",
    "LoadCycle",
    "ManualClock",
    "Memo",
    "MetricsServer",
    "Middleware",
    "Misfire",
    "MoveToDelayed",
    "MoveToWait",
    "NotificationFailed",
    "OnFailure",
    "OpenChannel",
    "Overlap",
    "ParentRef",
    "PayloadError",
    "Queue",
    "QueueEvents",
    "QueueHealth",
    "QueueMetrics",
    "QueueOptions",
    "QueueSettings",
    "QueueSpec",
    "QueueStateError",
    "Rate",
    "RateLimited",
    "RemoteHandlerError",
    "ReplyLost",
    "ResultTimeout",
    "Router",
    "RunMoved",
    "Schedule",
    "ScheduleConflict",
    "ScheduleNotFound",
    "Schedules",
    "ServerError",
    "ServerRefused",
    "ServerTooOld",
    "ServerUnavailable",
    "Settings",
    "Severity",
    "SharedWorkCancelled",
    "StockyardError",
    "Timing",
    "TlsFailed",
    "Topology",
    "UnknownQueue",
    "UnrecoverableError",
    "UnsafeServer",
    "WaitForChildren",
    "Worker",
    "WorkerInfo",
    "WorkerOptions",
    "WorkerProcessDied",
    "configure_logging",
    "evaluate_alerts",
]

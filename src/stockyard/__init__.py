"""Stockyard runs background jobs on BullMQ's Redis protocol, with a cache and pub/sub beside them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard._logging import JsonFormatter, configure_logging
    from stockyard.app import App
    from stockyard.cache import Cache
    from stockyard.config import Settings
    from stockyard.consume.hooks import Hooks
    from stockyard.consume.options import WorkerOptions
    from stockyard.consume.run.handler_call import Middleware
    from stockyard.consume.worker import Worker
    from stockyard.errors import (
        ConfigError,
        Delay,
        HandlerError,
        InvalidOption,
        JobCancelled,
        JobError,
        JobFailed,
        JobNotFound,
        JobStateError,
        JobTimeout,
        PayloadError,
        RateLimited,
        ReplyLost,
        Requeue,
        ResultTimeout,
        ServerError,
        ServerRefused,
        ServerUnavailable,
        StockyardError,
        UnknownQueue,
        UnrecoverableError,
        WaitForChildren,
    )
    from stockyard.model.backoff import Backoff
    from stockyard.model.backoff_delay import BackoffStrategy
    from stockyard.model.clock import Clock
    from stockyard.model.deduplication import Deduplication
    from stockyard.model.duration import Duration
    from stockyard.model.family import ChildrenPage
    from stockyard.model.flow import Flow, FlowTree
    from stockyard.model.job import Job, JobProcessor, JobState
    from stockyard.model.options import AddOptions, JobOptions
    from stockyard.model.parent import OnFailure, ParentRef
    from stockyard.model.retention import Keep
    from stockyard.model.schedule import Misfire, Overlap, Schedule, Timing
    from stockyard.observe.health import QueueHealth
    from stockyard.produce.flows import Flows
    from stockyard.produce.queue import Queue
    from stockyard.pubsub import Channel
    from stockyard.schedule.schedules import Schedules
    from stockyard.topology import QueueOptions, Rate, Router, Topology
else:
    from stockyard._lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "stockyard._logging": "JsonFormatter configure_logging",
            "stockyard.app": "App",
            "stockyard.cache": "Cache",
            "stockyard.config": "Settings",
            "stockyard.consume.hooks": "Hooks",
            "stockyard.consume.options": "WorkerOptions",
            "stockyard.consume.run.handler_call": "Middleware",
            "stockyard.consume.worker": "Worker",
            "stockyard.errors": (
                "ConfigError Delay HandlerError InvalidOption JobCancelled JobError JobFailed "
                "JobNotFound JobStateError JobTimeout PayloadError RateLimited ReplyLost Requeue "
                "ResultTimeout ServerError ServerRefused ServerUnavailable StockyardError UnknownQueue "
                "UnrecoverableError WaitForChildren"
            ),
            "stockyard.model.backoff": "Backoff",
            "stockyard.model.backoff_delay": "BackoffStrategy",
            "stockyard.model.clock": "Clock",
            "stockyard.model.deduplication": "Deduplication",
            "stockyard.model.duration": "Duration",
            "stockyard.model.family": "ChildrenPage",
            "stockyard.model.flow": "Flow FlowTree",
            "stockyard.model.job": "Job JobProcessor JobState",
            "stockyard.model.options": "AddOptions JobOptions",
            "stockyard.model.parent": "OnFailure ParentRef",
            "stockyard.model.retention": "Keep",
            "stockyard.model.schedule": "Misfire Overlap Schedule Timing",
            "stockyard.observe.health": "QueueHealth",
            "stockyard.produce.flows": "Flows",
            "stockyard.produce.queue": "Queue",
            "stockyard.pubsub": "Channel",
            "stockyard.schedule.schedules": "Schedules",
            "stockyard.topology": "QueueOptions Rate Router Topology",
        },
        (
            "alerts blocking cache dashboard effects embedded errors events limits manual monitoring outbox "
            "pubsub testing topology trading"
        ),
    )

__all__ = [
    "AddOptions",
    "App",
    "Backoff",
    "BackoffStrategy",
    "Cache",
    "Channel",
    "ChildrenPage",
    "Clock",
    "ConfigError",
    "Deduplication",
    "Delay",
    "Duration",
    "Flow",
    "FlowTree",
    "Flows",
    "HandlerError",
    "Hooks",
    "InvalidOption",
    "Job",
    "JobCancelled",
    "JobError",
    "JobFailed",
    "JobNotFound",
    "JobOptions",
    "JobProcessor",
    "JobState",
    "JobStateError",
    "JobTimeout",
    "JsonFormatter",
    "Keep",
    "Middleware",
    "Misfire",
    "OnFailure",
    "Overlap",
    "ParentRef",
    "PayloadError",
    "Queue",
    "QueueHealth",
    "QueueOptions",
    "Rate",
    "RateLimited",
    "ReplyLost",
    "Requeue",
    "ResultTimeout",
    "Router",
    "Schedule",
    "Schedules",
    "ServerError",
    "ServerRefused",
    "ServerUnavailable",
    "Settings",
    "StockyardError",
    "Timing",
    "Topology",
    "UnknownQueue",
    "UnrecoverableError",
    "WaitForChildren",
    "Worker",
    "WorkerOptions",
    "configure_logging",
]

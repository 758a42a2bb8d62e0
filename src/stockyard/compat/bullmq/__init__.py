"""This is the API of the PyPI package ``bullmq`` on our engine: change the import, and keep the program."""

from stockyard.compat.bullmq.abort_controller import AbortController, AbortError, AbortSignal
from stockyard.compat.bullmq.custom_errors import DelayedError, UnrecoverableError, WaitingChildrenError
from stockyard.compat.bullmq.flow_producer import FlowProducer
from stockyard.compat.bullmq.job import Job
from stockyard.compat.bullmq.job_scheduler import JobScheduler
from stockyard.compat.bullmq.lock_manager import LockManager
from stockyard.compat.bullmq.queue import Queue
from stockyard.compat.bullmq.queue_events import QueueEvents
from stockyard.compat.bullmq.queue_events_producer import QueueEventsProducer
from stockyard.compat.bullmq.worker import Worker

__all__ = [
    "AbortController",
    "AbortError",
    "AbortSignal",
    "DelayedError",
    "FlowProducer",
    "Job",
    "JobScheduler",
    "LockManager",
    "Queue",
    "QueueEvents",
    "QueueEventsProducer",
    "UnrecoverableError",
    "WaitingChildrenError",
    "Worker",
]

"""The platform's queues on the process-wide App, behind ``get_queue`` and its siblings."""

from __future__ import annotations

from typing import Any, Unpack

from stockyard.app import App
from stockyard.consume.options import WorkerOptions
from stockyard.consume.worker import Worker
from stockyard.model.job import JobProcessor
from stockyard.observe.health import QueueHealth
from stockyard.produce.queue import Queue
from stockyard.topology import Router
from stockyard.trading.queues import PLATFORM

_app: App | None = None


def default_app() -> App:
    """Return the process-wide App of the platform, made at the first call from the environment and ``.env``.

    Raises:
        ConfigError: the settings are wrong; every problem is named.
    """
    global _app
    if _app is None:
        _app = App(PLATFORM)
    return _app


def use_app(app: App | None) -> App | None:
    """Let ``get_queue`` and its siblings use this App; return the one they used before, not closed.

    Args:
        app: whose topology declares the seven queues; None to make a new default at the next use.
    """
    global _app
    previous, _app = _app, app
    return previous


def get_queue(name: str) -> Queue:
    """Return a queue of the platform; asked again, the same.

    Args:
        name: a ``QueueName`` or its text.

    Raises:
        UnknownQueue: the platform has no such queue; the message lists those that it has.

    Example:
        await get_queue(QueueName.PORTFOLIO_HIGH_PRIORITY).add("recalculate-position", {"fill_id": "fill-456"})
    """
    return default_app().queue(name)


def create_worker(
    queue: str, /, processor: JobProcessor[Any] | Router | None = None, **options: Unpack[WorkerOptions]
) -> Worker:
    """Make a worker of a queue, with the platform's concurrency; ``await worker.run()`` starts it.

    Args:
        queue: a ``QueueName`` or its text.
        processor: one handler for every job, or a Router. Defaults to the handlers of the queue's declaration.
        options: see ``WorkerOptions``.

    Raises:
        UnknownQueue: the platform has no such queue.
        HandlerError: the processor cannot serve, or there is none.
        InvalidOption: an option is not known or out of its range.
    """
    return default_app().worker(queue, processor, **options)


async def get_queue_health(name: str) -> QueueHealth:
    """Return a snapshot of one queue.

    Raises:
        UnknownQueue: the platform has no such queue.
        ServerError: the server did not answer.
    """
    (health,) = await default_app().health(name)
    return health


async def get_all_queues_health() -> list[QueueHealth]:
    """Return snapshots of the seven queues, in the order declared, in one round trip.

    Raises:
        ServerError: the server did not answer.
    """
    return await default_app().health()

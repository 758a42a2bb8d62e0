"""Gives each message of a group to a function, and acknowledges it when that returns."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from stockyard._aio.elastic_threads import ElasticThreads
from stockyard._aio.retry_delay import RetryDelay
from stockyard.errors import HandlerError, ServerError, ServerRefused, UnrecoverableError
from stockyard.pubsub.consumer import Consumer
from stockyard.pubsub.delivery import Delivery
from stockyard.pubsub.message import MessageGap

T = TypeVar("T")
_log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 60.0


async def handle(
    messages: Consumer[T],
    handler: Callable[[Delivery[T]], Any],
    *,
    concurrency: int,
    on_gap: Callable[[MessageGap], None] | None,
) -> None:
    """Handle messages until cancelled or closed; what a handler has in hand then is handed back.

    A handler that raises has its message handed back, after a pause that grows with each delivery;
    ``UnrecoverableError`` makes it a dead letter at once.

    Raises:
        HandlerError: the handler is no function.
    """
    if not callable(handler):
        raise HandlerError(f"a handler must be a function of one message; got {handler!r}")
    places = asyncio.Semaphore(concurrency)
    # Not the loop's own, which are few: handlers may wait for each other.
    threads = ElasticThreads(usual=concurrency)

    async def run(message: Delivery[T]) -> None:
        try:
            await _run(message, handler, threads)
        finally:
            places.release()

    async with messages, asyncio.TaskGroup() as running:
        while True:
            await places.acquire()
            try:
                item = await anext(messages)
            except StopAsyncIteration:
                return
            if isinstance(item, Delivery):
                running.create_task(run(item))
                continue
            places.release()
            if on_gap is not None:
                on_gap(item)
            else:
                _log.warning("channel %s: group %s missed messages: %s", item.channel, messages.group, item)


async def _run(message: Delivery[T], handler: Callable[[Delivery[T]], Any], threads: ElasticThreads) -> None:
    task = asyncio.current_task()
    try:
        if inspect.iscoroutinefunction(handler):
            await handler(message)
        else:
            found = await threads.run(handler, message, is_nested=False)
            if inspect.isawaitable(found):
                await found
    except UnrecoverableError as error:
        reason = str(error)
        await _until_answered(message, lambda: message.dead_letter(reason))
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        # A handler that was cancelled within has failed like any other.
        _log.warning("channel %s: message %s failed: %r", message.channel, message.id, error)
        pause = min(_FIRST_PAUSE * 2 ** (message.deliveries - 1), _LONGEST_PAUSE)
        reason = f"{type(error).__name__}: {error}"
        await _until_answered(message, lambda: message.release(reason, delay=pause))
    else:
        await _until_answered(message, message.ack)


async def _until_answered(message: Delivery[T], settle: Callable[[], Any]) -> None:
    """Acknowledge or release a message as soon as the server answers: doing it twice is safe."""
    retry_delay = RetryDelay()
    while True:
        try:
            await settle()
            return
        except ServerRefused as error:
            _log.error("channel %s: what became of message %s was refused: %s", message.channel, message.id, error)
            return
        except ServerError:
            await retry_delay.wait()

"""Handlers of a group: their return acknowledges, their failure does not."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from stockyard import App, HandlerError, InvalidOption, UnrecoverableError
from stockyard.pubsub import Delivery, MessageGap
from tests.integration.pubsub.channels import FILLS
from tests.integration.pubsub.test_trimming import SHORT
from tests.support.waiting import eventually


async def until(handling: Coroutine[Any, Any, None], done: Callable[[], object]) -> None:
    """Run a handling until something is so."""
    task = asyncio.create_task(handling)
    try:
        await eventually(lambda: task.done() or done())
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_return_acknowledges_and_messages_come_one_at_a_time_in_order(app: App) -> None:
    channel = app.channel(FILLS)
    await channel.publish_many(range(50))
    seen, running = [], 0

    async def handler(message: Delivery[int]) -> None:
        nonlocal running
        running += 1
        await asyncio.sleep(0)
        assert running == 1
        running -= 1
        seen.append(message.value)

    await until(channel.handle("g", handler), lambda: channel.stats().acknowledged == 50)
    assert seen == list(range(50))
    assert (await channel.groups())[0].pending == 0


async def test_no_more_run_at_a_time_than_said(app: App) -> None:
    channel = app.channel(FILLS)
    await channel.publish_many(range(30))
    running: set[int] = set()
    most = 0
    may_end = asyncio.Event()

    async def handler(message: Delivery[int]) -> None:
        nonlocal most
        running.add(message.value)
        most = max(most, len(running))
        if most == 5:
            may_end.set()
        await may_end.wait()
        running.discard(message.value)

    await until(channel.handle("g", handler, concurrency=5), lambda: channel.stats().acknowledged == 30)
    assert most == 5


async def test_plain_functions_run_in_threads(app: App) -> None:
    channel = app.channel(FILLS)
    await channel.publish(1)
    seen = []

    def handler(message: Delivery[int]) -> None:
        seen.append(threading.current_thread() is threading.main_thread())

    await until(channel.handle("g", handler), lambda: channel.stats().acknowledged == 1)
    assert seen == [False]


async def test_what_no_coroutine_can_raise_is_a_failure_too(app: App, caplog: pytest.LogCaptureFixture) -> None:
    channel = app.channel(FILLS)
    await channel.publish(1)
    await until(channel.handle("g", lambda _: next(iter([]))), lambda: "raised StopIteration" in caplog.text)


async def test_a_failure_comes_again_and_in_the_end_is_a_dead_letter(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    channel = app.channel(FILLS)
    await channel.publish_many([1, 2, 3])
    seen = []

    async def handler(message: Delivery[int]) -> None:
        seen.append((message.value, message.deliveries))
        if message.value == 1:
            raise ValueError("one")
        if message.value == 2:
            raise UnrecoverableError("two")

    await until(channel.handle("g", handler), lambda: channel.stats().dead == 2)
    assert sorted(seen) == [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)]
    assert sorted((each.value, each.reason) for each in await channel.dead_letters()) == [
        (1, "ValueError: one"),
        (2, "two"),
    ]
    assert "ValueError('one')" in caplog.text


async def test_a_handler_that_is_cancelled_hands_its_message_back(app: App) -> None:
    channel = app.channel(FILLS)
    await channel.publish(1)
    started, seen = asyncio.Event(), []

    async def stuck(message: Delivery[int]) -> None:
        started.set()
        await asyncio.Event().wait()

    async def handler(message: Delivery[int]) -> None:
        seen.append(message.deliveries)

    await until(channel.handle("g", stuck), started.is_set)
    await until(channel.handle("g", handler), lambda: seen)
    assert seen == [2]


async def test_gaps_are_told(app: App, caplog: pytest.LogCaptureFixture) -> None:
    channel = app.channel(SHORT)
    told: list[MessageGap] = []

    async def handler(message: Delivery[int]) -> None:
        pass

    for number, on_gap in ((1, told.append), (2, None)):
        async with channel.consume("g"):
            pass
        await channel.publish_many(range(25))
        await until(
            channel.handle("g", handler, on_gap=on_gap),
            lambda: (channel.stats().acknowledged, channel.stats().gaps) == (10 * number, number),  # noqa: B023
        )
    assert told == [MessageGap(channel="short", reason="trimmed", missed=15)]
    assert "group g missed messages" in caplog.text


async def test_an_app_that_closes_ends_the_handling(app: App) -> None:
    channel = app.channel(FILLS)

    is_entered = asyncio.Event()

    async def handler(message: Delivery[int]) -> None:
        is_entered.set()

    handling = asyncio.create_task(channel.handle("g", handler))
    await eventually(lambda: channel.groups())
    # The server knows the group before the consumer has its answer.
    await channel.publish(1)
    await is_entered.wait()
    await app.aclose()
    async with asyncio.timeout(60):
        await handling


async def test_what_is_no_handler_is_refused(app: App) -> None:
    with pytest.raises(HandlerError, match="function of one message"):
        await app.channel(FILLS).handle("g", "print")  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="concurrency"):
        await app.channel(FILLS).handle("g", print, concurrency=0)

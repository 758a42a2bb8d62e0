"""Durable channels under killed consumers, cut connections and a server that goes: nothing is lost."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
import redis

from stockyard import App, ReplyLost, Topology
from stockyard.pubsub import Consumer, Delivery, MessageGap
from stockyard.testing.proxy import Proxy
from tests.faults.channel_programs import DEADLY, FILLS, ConsumerProcess, Notes
from tests.support.servers import OwnServer
from tests.support.waiting import eventually, ticks

AWAY = 0.1
"""Seconds that the server is gone; clients try again meanwhile."""

Start = Callable[..., ConsumerProcess]


@pytest.fixture
async def app(redis_url: str, prefix: str) -> AsyncIterator[App]:
    async with App(Topology("faults"), redis_url, prefix=prefix) as app:
        yield app


@pytest.fixture
def notes(raw: "redis.Redis", prefix: str) -> Notes:
    return Notes(raw, prefix)


@pytest.fixture
def start(redis_url: str, prefix: str) -> Iterator[Start]:
    """Starts consumer processes; what is left of them is killed with the test."""
    with ExitStack() as ending:

        def call(what: str, argument: object = 100) -> ConsumerProcess:
            return ending.enter_context(ConsumerProcess(redis_url, prefix, what, argument))

        yield call


@pytest.mark.parametrize(("program", "argument"), [("consume", 100), ("handle", 20)])
async def test_nothing_is_lost_when_consumers_are_killed(
    app: App, start: Start, notes: Notes, program: str, argument: int
) -> None:
    channel, number, chance = app.channel(FILLS), 3000, random.Random(7)
    running = [start(program, argument) for _ in range(3)]

    async def publish() -> None:
        async for tick in ticks(0.02, number // 20):
            await channel.publish_many(range(tick * 20, tick * 20 + 20))

    async def is_done() -> bool:
        return len(set(notes.of("done"))) == number

    publishing = asyncio.create_task(publish())
    for round_number in range(1, 7):
        await eventually(lambda wanted=round_number * 300: len(set(notes.of("done"))) >= wanted, within=60)  # type: ignore[misc]
        victim = running.pop(chance.randrange(len(running)))
        victim.kill()
        running.append(start(program, argument))
    await publishing
    await eventually(is_done, within=60)

    async def is_acknowledged() -> bool:
        (group,) = await channel.groups()
        return (group.waiting, group.pending, group.missed) == (0, 0, 0)

    await eventually(is_acknowledged)
    assert await channel.dead_letters() == []


async def test_all_consumers_killed_at_once_lose_nothing(app: App, start: Start, notes: Notes) -> None:
    channel = app.channel(FILLS)
    await channel.publish_many(range(2000))
    for wanted in (1, 300, 600):
        running = [start("consume") for _ in range(2)]
        await eventually(lambda wanted=wanted: len(notes.of("done")) >= wanted, within=25)  # type: ignore[misc]
        for each in running:
            each.kill()
    start("consume")
    await eventually(lambda: set(notes.of("done")) == set(range(2000)), within=60)
    assert await channel.dead_letters() == []
    # Twice came at most what the killed ones had in hand at that moment.
    assert len(notes.of("done")) <= 2000 + 2 * 3


async def test_a_message_that_kills_is_a_dead_letter_and_takes_no_other_with_it(
    app: App, start: Start, notes: Notes
) -> None:
    channel = app.channel(DEADLY)
    await channel.publish_many(range(30))
    for _ in range(DEADLY.attempts):
        process = start("choke")
        await eventually(lambda: not process.is_running, within=25)  # noqa: B023
    start("choke")
    await eventually(channel.dead_letters)
    (letter,) = await channel.dead_letters()
    assert (letter.value, letter.deliveries) == (13, DEADLY.attempts)
    await eventually(lambda: set(notes.of("done")) == {*range(30)} - {13})


async def test_a_frozen_consumer_s_messages_pass_to_others(app: App, start: Start, notes: Notes) -> None:
    channel = app.channel(FILLS)
    frozen = start("consume")
    await channel.publish(0)
    await eventually(lambda: notes.of("done") == [0])
    frozen.send(signal.SIGSTOP)
    # It blocks on the server, which hands it what comes first.
    await channel.publish_many(range(1, 200))
    start("consume")
    await eventually(lambda: set(notes.of("done")) == set(range(200)), within=25)
    frozen.send(signal.SIGCONT)
    await channel.publish_many(range(200, 400))
    await eventually(lambda: set(notes.of("done")) == set(range(400)), within=25)


@pytest.fixture
async def apart(make_server: Callable[..., OwnServer], prefix: str) -> AsyncIterator[tuple[Proxy, App, App]]:
    """A proxy, an app behind it, and one that reaches the server directly."""
    server = make_server(port=True)
    topology = Topology("faults")
    async with (
        Proxy(server.url) as proxy,
        App(topology, proxy.url, prefix=prefix) as through,
        App(topology, server.url, prefix=prefix) as direct,
    ):
        yield proxy, through, direct


async def test_nothing_is_lost_by_connections_that_break(apart: tuple[Proxy, App, App]) -> None:
    proxy, through, direct = apart
    channel = direct.channel(FILLS)
    seen = []
    async with through.channel(FILLS).consume("ledger") as messages:
        for number in range(60):
            await channel.publish(number)
            if number % 3 == 0:
                proxy.cut()
            message = await next_of(messages)
            seen.append(message.value)
            with suppress(ReplyLost):
                await message.ack()
    assert set(seen) == set(range(60))
    (group,) = await channel.groups()
    assert group.waiting == 0


async def test_a_reply_that_is_lost_is_not_a_message_that_is_lost(apart: tuple[Proxy, App, App]) -> None:
    proxy, through, direct = apart
    async with through.channel(FILLS).consume("ledger") as messages:
        for number in range(10):
            lost = proxy.lose_reply(lambda request: b"XREAD" in request)
            reading = asyncio.create_task(next_of(messages))
            await eventually(lambda: proxy.requests and b"XREAD" in proxy.requests[-1])
            await direct.channel(FILLS).publish(number)
            await lost.wait()
            message = await reading
            assert (message.value, message.deliveries) == (number, 1)
            await message.ack()


async def next_of(messages: Consumer[int]) -> Delivery[int]:
    async with asyncio.timeout(60):
        message = await anext(messages)
    assert isinstance(message, Delivery)
    return message


async def test_readers_and_consumers_ride_through_a_server_that_is_killed(
    make_server: Callable[..., OwnServer], prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server(port=True, options={"appendfsync": "always"})
    published: list[int] = []
    consumed: list[int] = []
    read: list[int] = []
    async with App(Topology("faults"), server.url, prefix=prefix) as app:
        channel = app.channel(FILLS)

        async def consume() -> None:
            async def handler(message: Delivery[int]) -> None:
                consumed.append(message.value)

            await channel.handle("ledger", handler, concurrency=10)

        async def replay() -> None:
            async with channel.replay("0-0") as messages:
                async for message in messages:
                    assert not isinstance(message, MessageGap)
                    read.append(message.value)

        tasks = [asyncio.create_task(consume()), asyncio.create_task(replay())]
        for number in range(300):
            if number in (100, 200):
                server.kill()
                await asyncio.sleep(AWAY)
                server.start()
            await channel.publish(number)
            published.append(number)
        await eventually(lambda: set(consumed) >= set(published), within=25)
        await eventually(lambda: read == published, within=25)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert "channel fills cannot be" in caplog.text

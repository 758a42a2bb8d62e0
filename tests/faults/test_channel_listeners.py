"""Live channels under cut, silent and overfull connections: what is missed is told of by a gap."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from stockyard import App, Channel, ReplyLost, ServerRefused, ServerUnavailable, Topology
from stockyard.pubsub import MessageGap, Subscription
from stockyard.testing.proxy import Proxy
from tests.support.program import Program
from tests.support.servers import OwnServer
from tests.support.waiting import eventually, stays, ticks

NUMBERS = Channel("numbers", int)
RECONNECTED = MessageGap(channel="numbers", reason="reconnected")


@pytest.fixture
def server(make_server: Callable[..., OwnServer]) -> OwnServer:
    return make_server(port=True)


@pytest.fixture
async def app(proxy: Proxy, prefix: str) -> AsyncIterator[App]:
    """An app whose connections the test may break."""
    async with App(Topology("faults"), proxy.url, prefix=prefix, call_timeout=2) as app:
        yield app


@pytest.fixture
async def publisher(server: OwnServer, prefix: str) -> AsyncIterator[App]:
    async with App(Topology("faults"), server.url, prefix=prefix) as app:
        yield app


async def take(messages: Subscription[int], count: int) -> list[Any]:
    async with asyncio.timeout(60):
        found = [await anext(messages) for _ in range(count)]
    return [each if isinstance(each, MessageGap) else each.value for each in found]


async def test_every_reader_is_told_of_a_connection_that_broke(app: App, publisher: App, proxy: Proxy) -> None:
    channel, told = app.channel(NUMBERS), publisher.channel(NUMBERS)
    async with (
        channel.subscribe() as first,
        channel.subscribe() as second,
        channel.subscribe(policy="block") as third,
    ):
        for number in range(5):
            await told.publish(number)
            # Before the cut: what is still in the proxy is lost with the connection.
            for messages in (first, second, third):
                assert await take(messages, 1) == [number]
            proxy.cut()
            for messages in (first, second, third):
                assert await take(messages, 1) == [RECONNECTED]
            await told.publish(-1)
            for messages in (first, second, third):
                assert await take(messages, 1) == [-1]
    assert channel.stats().reconnects >= 5


async def test_nothing_is_missing_without_a_gap_however_often_it_breaks(
    app: App, publisher: App, proxy: Proxy
) -> None:
    """Between two gaps the numbers follow each other; where they do not, a gap stands."""
    channel, told, number = app.channel(NUMBERS), publisher.channel(NUMBERS), 20_000

    async def publish() -> None:
        async for tick in ticks(0.002, number // 50):
            await told.publish_many(range(tick * 50, tick * 50 + 50))
        while not reading.done():
            await told.publish(number)
            await asyncio.wait([reading], timeout=0.01)

    async def cut() -> None:
        async for _ in ticks(0.05, 15):
            proxy.cut()

    async def read() -> tuple[int, int]:
        expected = gaps = 0
        is_after_gap = False
        async with channel.subscribe() as messages:
            ready.set()
            async for item in messages:
                if isinstance(item, MessageGap):
                    gaps, is_after_gap = gaps + 1, True
                    continue
                assert item.value == expected or (is_after_gap and item.value > expected), (item, expected)
                expected, is_after_gap = item.value + 1, False
                if item.value == number:
                    break
        return expected, gaps

    ready = asyncio.Event()
    reading = asyncio.create_task(read())
    await ready.wait()
    async with asyncio.timeout(60):
        await asyncio.gather(publish(), cut())
        expected, gaps = await reading
    assert expected == number + 1
    assert gaps > 0


async def test_a_silent_connection_is_noticed_and_replaced(app: App, publisher: App, proxy: Proxy) -> None:
    channel = app.channel(NUMBERS)
    async with channel.subscribe() as messages:
        proxy.hold()
        await publisher.channel(NUMBERS).publish(1)
        await eventually(lambda: channel.stats().reconnects == 1)
        proxy.release()
        found = await take(messages, 1)
        if found == [1]:  # what was held back was read before the connection was given up
            found = await take(messages, 1)
        assert found == [RECONNECTED]


async def test_a_server_that_comes_back_is_listened_to_again(
    app: App, server: OwnServer, proxy: Proxy, publisher: App
) -> None:
    channel, told = app.channel(NUMBERS), publisher.channel(NUMBERS)
    async with channel.subscribe() as messages:
        server.kill()
        server.start()
        assert await take(messages, 1) == [RECONNECTED]
        await told.publish(7)
        assert await take(messages, 1) == [7]


async def test_a_publisher_waits_for_the_server_and_says_when_it_did_not_come(
    app: App, proxy: Proxy, publisher: App
) -> None:
    channel = app.channel(NUMBERS)
    await proxy.refuse()
    publishing = asyncio.create_task(channel.publish(1))
    await stays(lambda: not publishing.done())
    await proxy.accept()
    assert await publishing == 0
    await proxy.refuse()
    with pytest.raises((ServerUnavailable, ReplyLost)):
        await channel.publish(1)
    with pytest.raises(ServerUnavailable):
        async with channel.subscribe():
            pass
    await proxy.accept()
    async with channel.subscribe() as messages:
        await channel.publish(2)
        assert await take(messages, 1) == [2]


async def test_one_that_joins_while_the_server_is_away_has_missed_nothing(
    app: App, publisher: App, proxy: Proxy
) -> None:
    channel = app.channel(NUMBERS)
    async with channel.subscribe() as before:
        await proxy.refuse()
        await eventually(lambda: channel.stats().reconnects == 1)
        joining = asyncio.create_task(channel.subscribe().__aenter__())
        await stays(lambda: not joining.done())
        await proxy.accept()
        later = await joining
        await publisher.channel(NUMBERS).publish(1)
        assert await take(before, 2) == [RECONNECTED, 1]
        assert await take(later, 1) == [1]
        await later.aclose()


async def test_a_server_that_cut_off_a_slow_reader_is_a_gap(server: OwnServer, prefix: str) -> None:
    with server.client() as client:
        client.config_set("client-output-buffer-limit", "pubsub 100kb 100kb 0")
    big = Channel("big", str)
    async with (
        App(Topology("faults"), server.url, prefix=prefix) as app,
        App(Topology("faults"), server.url, prefix=prefix) as other,
    ):
        channel, told = app.channel(big), other.channel(big)
        async with channel.subscribe(buffer=1, policy="block") as messages:
            # As much as the kernel holds for both, and then what the server may.
            number = 0
            while await told.publish(f"{number}:" + "x" * 100_000):
                number += 1
            async with asyncio.timeout(60):
                expected, has_gap = 0, False
                while not has_gap:
                    item = await anext(messages)
                    if isinstance(item, MessageGap):
                        has_gap = True
                    else:
                        assert item.value.startswith(f"{expected}:")
                        expected += 1
            assert expected <= number
            await told.publish("the end")
            async with asyncio.timeout(60):
                item = await anext(messages)
            assert not isinstance(item, MessageGap)
            assert item.value == "the end"


async def test_who_may_not_listen_is_told_and_disturbs_nobody(server: OwnServer, prefix: str) -> None:
    with server.client() as client:
        client.acl_setuser(
            "some",
            enabled=True,
            passwords=["+secret"],
            commands=["+@all"],
            keys=["*"],
            channels=[f"{prefix}::channel:numbers"],
        )
    url = server.url.replace("redis://", "redis://some:secret@")
    async with App(Topology("faults"), url, prefix=prefix) as app:
        channel = app.channel(NUMBERS)
        async with channel.subscribe() as messages:
            with pytest.raises(ServerRefused, match="channel"):
                async with app.channel(Channel("secret", int)).subscribe():
                    pass
            await channel.publish(1)
            assert await take(messages, 1) == [1]
        assert channel.stats().reconnects == 0


FLOOD = """
import asyncio, sys
from stockyard import App, Channel, Topology
async def main():
    async with App(Topology("flood"), sys.argv[1], prefix=sys.argv[2]) as app:
        channel = app.channel(Channel("numbers", int))
        for at in range(0, 200_000, 1000):
            await channel.publish_many(range(at, at + 1000))
asyncio.run(main())
"""


async def test_a_flood_from_another_process_comes_whole_and_in_order(
    server: OwnServer, prefix: str, publisher: App
) -> None:
    expected = 0
    async with publisher.channel(NUMBERS).subscribe() as messages:
        with Program([sys.executable, "-c", FLOOD, server.url, prefix], env=os.environ) as flood:
            async with asyncio.timeout(60):
                while expected < 200_000:
                    item = await anext(messages)
                    assert not isinstance(item, MessageGap)
                    assert item.value == expected
                    expected += 1
            assert flood.wait() == 0
    assert publisher.channel(NUMBERS).stats().gaps == 0


async def test_a_reader_frozen_beyond_what_the_server_keeps_is_told(
    server: OwnServer, prefix: str, publisher: App, tmp_path: Any
) -> None:
    """SIGSTOP of a subscriber process while more comes than the server may hold for it."""
    with server.client() as client:
        client.config_set("client-output-buffer-limit", "pubsub 1mb 1mb 0")
    program = """
import asyncio, sys
from stockyard import App, Channel, Topology
from stockyard.pubsub import MessageGap
async def main():
    async with App(Topology("t"), sys.argv[1], prefix=sys.argv[2]) as app:
        async with app.channel(Channel("numbers", int)).subscribe(buffer=1_000_000) as messages:
            print("ready", flush=True)
            expected, is_after_gap, gaps = 0, False, 0
            async for item in messages:
                if isinstance(item, MessageGap):
                    is_after_gap, gaps = True, gaps + 1
                    print("gap", flush=True)
                    continue
                if item.value == -1:
                    print("end", expected, gaps, flush=True)
                    return
                assert item.value == expected or is_after_gap, (item, expected)
                expected, is_after_gap = item.value + 1, False
asyncio.run(main())
"""
    with Program(
        [sys.executable, "-W", "error", "-c", program, server.url, prefix], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = asyncio.to_thread(process.stdout.readline)
        assert await line == "ready\n"
        process.send_signal(signal.SIGSTOP)
        told = publisher.channel(NUMBERS)
        at = 0
        while (await told.publish_many(range(at, at + 5000)))[-1]:
            at += 5000
        process.send_signal(signal.SIGCONT)
        assert await asyncio.to_thread(process.stdout.readline) == "gap\n"
        await told.publish(-1)
        end = (await asyncio.to_thread(process.stdout.readline)).split()
        assert end[0] == "end"
        assert int(end[1]) <= at + 5000
        assert process.wait() == 0

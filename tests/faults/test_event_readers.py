"""Readers of events wait for a server that is away, and go on where they were."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stockyard import ServerUnavailable
from stockyard.events import EventGap
from stockyard.testing.proxy import Proxy
from tests.support.event_stream import Stream, take, told
from tests.support.servers import OwnServer
from tests.support.waiting import eventually
from tests.support.yard import Yard

AWAY = 0.1
"""Seconds that the server is gone, and its clients try again."""


def is_read(server: OwnServer) -> bool:
    """Whether a reader waits on the server for the next event."""
    with server.client() as client:
        return bool(client.info("clients")["blocked_clients"])


@pytest.fixture
async def yard(server: OwnServer, prefix: str) -> AsyncIterator[Yard]:
    async with Yard(server.url, prefix, call_timeout=2) as yard:
        yard.queue()
        yield yard


async def test_no_server_on_entering_is_an_error(yard: Yard, server: OwnServer) -> None:
    server.stop()
    with pytest.raises(ServerUnavailable):
        async with yard.app.events("q"):
            pass


async def test_nothing_is_lost_or_doubled_by_a_server_that_restarts(
    yard: Yard, server: OwnServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = [str(number) for number in range(300)]
    seen: list[Any] = []

    async def write() -> None:
        for at in range(0, 300, 100):
            with server.client() as client:
                Stream(client, prefix).add(*names[at : at + 100])
            if at < 200:
                # The reader that waits in its next read is the one whom the lost server takes by surprise.
                await eventually(lambda wanted=at: len(seen) == wanted + 100 and is_read(server))  # type: ignore[misc]
                server.kill()
                await asyncio.sleep(AWAY)
                server.start()

    async with yard.app.events("q") as events:
        writing = asyncio.create_task(write())
        while len(seen) < 300:
            seen += await take(events, 1)
        assert told(seen) == names
        await writing
    assert "events of q cannot be read; trying again" in caplog.text


async def test_nothing_is_lost_or_doubled_by_connections_that_break(server: OwnServer, prefix: str) -> None:
    async with Proxy(server.url) as proxy, Yard(proxy.url, prefix) as yard:
        yard.queue()
        async with yard.app.events("q") as events:
            with server.client() as client:
                for number in range(20):
                    Stream(client, prefix).add(f"{number}a", f"{number}b")
                    assert told(await take(events, 1)) == [f"{number}a"]
                    proxy.cut()
                    assert told(await take(events, 1)) == [f"{number}b"]


async def test_a_server_that_lost_everything_tells_of_a_gap(
    yard: Yard, server: OwnServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stockyard.events.queue_events._LOOK_AGAIN", 0.05)
    async with yard.app.events("q") as events:
        with server.client() as client:
            (last,) = Stream(client, prefix).add("a")
            await take(events, 1)
            client.flushall()
            server.kill()
        server.start()
        assert await take(events, 1) == [EventGap(id=last, queue="q", first_id=None)]
        with server.client() as client:
            Stream(client, prefix).add("b")
        assert told(await take(events, 1)) == ["b"]

"""Server-sent events through a real uvicorn and an HTTP client: browsers resume, and know what they missed."""

import asyncio
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import redis
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from stockyard import App, Channel, InvalidOption
from stockyard.pubsub.sse import endpoint
from tests.integration.pubsub.channels import FILLS, PRICES, Price
from tests.integration.pubsub.conftest import MakeApp
from tests.integration.pubsub.test_trimming import SHORT
from tests.support.documents import ROOT
from tests.support.forked import Forked
from tests.support.waiting import eventually


class Serving:
    """A uvicorn in a thread of its own, as it runs in production: with its own loop.

    Attributes:
        port: where it listens.
    """

    def __init__(self, app: App, **options: Any) -> None:
        routes = [
            Route(f"/{each.name}", endpoint(app.channel(each), **options)) for each in (PRICES, FILLS, SHORT)
        ]
        config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, args=(app,))

    def _run(self, app: App) -> None:
        async def serve() -> None:
            await self._server.serve()
            await app.aclose()

        asyncio.run(serve())

    async def __aenter__(self) -> int:
        self._thread.start()
        await eventually(lambda: self._server.started)
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await asyncio.to_thread(self._thread.join)


@pytest.fixture
async def port(make_app: MakeApp) -> AsyncIterator[int]:
    async with Serving(make_app()) as port:
        yield port


class Browser:
    """A client that reads events, as a browser's EventSource does, and remembers the last id."""

    def __init__(self, port: int, path: str, last_id: str | None = None) -> None:
        self.last_id = last_id
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Last-Event-ID": last_id} if last_id is not None else {}
        self._connection.request("GET", path, headers=headers)
        self.response = self._connection.getresponse()

    def events(self) -> Iterator[tuple[str, str]]:
        """Names and data of events, as they come."""
        name, data = "message", ""
        while line := self.response.readline():
            field, _, value = line.decode().rstrip("\r\n").partition(": ")
            match field:
                case "event":
                    name = value
                case "data":
                    data = value
                case "id":
                    self.last_id = value
                case "":
                    if data:
                        yield name, data
                    name, data = "message", ""

    async def read(self, count: int) -> list[tuple[str, str]]:
        """The next so many."""
        events = self.events()
        return [await asyncio.to_thread(next, events) for _ in range(count)]

    def close(self) -> None:
        self.response.close()
        self._connection.close()


async def browse(port: int, path: str, last_id: str | None = None) -> Browser:
    return await asyncio.to_thread(Browser, port, path, last_id)


async def test_a_browser_is_told_of_live_messages(app: App, port: int) -> None:
    browser = await browse(port, "/prices")
    assert browser.response.status == 200
    assert browser.response.getheader("content-type", "").startswith("text/event-stream")
    await app.channel(PRICES).publish(Price("BTCUSDT", 64_000.5))
    assert await browser.read(1) == [("message", '{"symbol":"BTCUSDT","price":64000.5}')]
    browser.close()


async def test_who_comes_back_to_a_live_channel_is_told_of_a_gap(app: App, port: int) -> None:
    browser = await browse(port, "/prices")
    await app.channel(PRICES).publish(Price("BTCUSDT", 1))
    await browser.read(1)
    browser.close()
    again = await browse(port, "/prices", browser.last_id)
    await app.channel(PRICES).publish(Price("BTCUSDT", 2.5))
    assert await again.read(2) == [
        ("gap", '{"reason":"reconnected","missed":null}'),
        ("message", '{"symbol":"BTCUSDT","price":2.5}'),
    ]
    again.close()


async def test_who_comes_back_to_a_durable_channel_goes_on_where_it_was(app: App, port: int) -> None:
    channel = app.channel(FILLS)
    await channel.publish(0)
    browser = await browse(port, "/fills")
    ids = await channel.publish_many([1, 2])
    assert await browser.read(2) == [("message", "1"), ("message", "2")]
    assert browser.last_id == ids[-1]
    browser.close()
    await channel.publish_many([3, 4])
    again = await browse(port, "/fills", browser.last_id)
    await channel.publish(5)
    assert await again.read(3) == [("message", "3"), ("message", "4"), ("message", "5")]
    again.close()


async def test_who_leaves_before_the_first_message_has_a_place_to_go_on(app: App, port: int) -> None:
    (last,) = await app.channel(FILLS).publish_many([0])
    browser = await browse(port, "/fills")
    assert await asyncio.to_thread(browser.response.readline) == f"id: {last}\r\n".encode()
    browser.close()
    await app.channel(FILLS).publish(1)
    again = await browse(port, "/fills", last)
    assert await again.read(1) == [("message", "1")]
    again.close()


async def test_a_first_visit_may_begin_at_the_beginning(app: App, port: int) -> None:
    await app.channel(FILLS).publish_many([1, 2])
    browser = await browse(port, "/fills?after=0-0")
    assert await browser.read(2) == [("message", "1"), ("message", "2")]
    browser.close()


async def test_what_is_gone_is_a_gap(app: App, port: int) -> None:
    channel = app.channel(SHORT)
    (first,) = await channel.publish_many([0])
    await channel.publish_many(range(1, 26))
    browser = await browse(port, "/short", first)
    assert await browser.read(2) == [("gap", '{"reason":"trimmed","missed":null}'), ("message", "16")]
    browser.close()


async def test_an_id_that_is_none_is_a_gap(app: App, port: int) -> None:
    browser = await browse(port, "/fills", "nonsense")
    await app.channel(FILLS).publish(1)
    assert await browser.read(2) == [("gap", '{"reason":"reconnected","missed":null}'), ("message", "1")]
    browser.close()


async def test_a_browser_that_leaves_is_let_go(app: App, port: int, raw: "redis.Redis", prefix: str) -> None:
    browser = await browse(port, "/prices")
    browser.close()
    name = f"{prefix}::channel:prices"

    async def is_gone() -> bool:
        # What is sent to a closed connection tells the server that it is.
        await app.channel(PRICES).publish(Price("BTCUSDT", 1))
        found: Any = raw.pubsub_numsub(name)
        return int(dict(found)[name]) == 0

    await eventually(is_gone)


async def test_many_browsers_are_served(app: App, port: int) -> None:
    browsers = [await browse(port, f"/{name}") for name in ("prices", "fills") * 10]
    await app.channel(PRICES).publish(Price("BTCUSDT", 1.5))
    await app.channel(FILLS).publish(7)
    found = await asyncio.gather(*(each.read(1) for each in browsers))
    assert found == [[("message", '{"symbol":"BTCUSDT","price":1.5}')], [("message", "7")]] * 10
    for each in browsers:
        each.close()


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("HEAD", 405)])
async def test_only_get_is_served(port: int, method: str, status: int) -> None:
    def ask() -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request(method, "/prices")
        response = connection.getresponse()
        connection.close()
        return response.status, response.getheader("allow")

    assert await asyncio.to_thread(ask) == (status, "GET")


def test_a_server_that_is_told_to_stop_does_not_wait_for_browsers(redis_url: str, prefix: str) -> None:
    command = [sys.executable, "-W", "error", "-m", "uvicorn", "--port=0", "tests.integration.pubsub.site:site"]
    environment = {**os.environ, "REDIS_URL": redis_url, "STOCKYARD_PREFIX": prefix}
    with Forked(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stderr is not None
        log = ""
        while "running on" not in log:
            log += serving.stderr.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", log)
        assert found
        browsers = [Browser(int(found[1]), path) for path in ("/prices", "/fills")]
        serving.send_signal(signal.SIGTERM)
        _, rest = serving.communicate(timeout=60)
        for each in browsers:
            each.close()
    assert serving.returncode in (0, -signal.SIGTERM)
    assert "Error" not in log + rest
    assert "Traceback" not in log + rest


async def test_without_a_server_it_says_so(make_app: MakeApp) -> None:
    async with Serving(make_app("redis://127.0.0.1:1/0", call_timeout=0.2)) as port:
        for path in ("/prices", "/fills"):
            browser = await browse(port, path)
            assert (browser.response.status, browser.response.getheader("retry-after")) == (503, "2")
            browser.close()


def test_options_are_checked(redis_url: str, prefix: str) -> None:
    from stockyard import Topology

    channel = App(Topology("t"), redis_url, prefix=prefix).channel(Channel("c"))
    with pytest.raises(InvalidOption, match="buffer"):
        endpoint(channel, buffer=0)
    with pytest.raises(InvalidOption, match="ping"):
        endpoint(channel, ping="soon")

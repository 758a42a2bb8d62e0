"""The transports for httpx and the middleware for aiohttp take and observe by themselves."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from stockyard import App
from stockyard.errors import LimitReached
from stockyard.limits import Fixed, InFlight, Limits, OpenLimits, Usage
from stockyard.limits.httpx import BlockingLimitedTransport, LimitedTransport
from stockyard.model.clock import SteppedClock
from tests.integration.limits.conftest import Exchange

Open = Callable[..., App]
WEIGHT = Limits("x", [Fixed("weight", 10, per="1m", used_header="X-Used"), InFlight("open", 1)])


def usage(request: httpx.Request) -> Usage | None:
    return None if request.url.path == "/free" else Usage({"weight": 4, "open": 1})


async def used(limits: OpenLimits) -> dict[str, float]:
    return {each.limit: each.used for each in (await limits.status()).usage}


async def test_an_httpx_client_takes_and_observes(open_app: Open, clock: SteppedClock, exchange: Exchange) -> None:
    limits = open_app(clock=clock).limits(WEIGHT)
    exchange.replies = [(200, {"X-Used": "6"}), (200, {}), (429, {"Retry-After": "7"})]
    async with httpx.AsyncClient(transport=LimitedTransport(limits, usage=usage), base_url=exchange.url) as client:
        await client.get("/a")
        assert await used(limits) == {"weight": 6, "open": 0}
        await client.get("/free")
        assert (await client.get("/b")).status_code == 429
        assert await used(limits) == {"weight": 10, "open": 0}
        waiting = asyncio.create_task(client.get("/c"))
        with pytest.raises(LimitReached) as caught:
            await limits.take({"weight": 1}, timeout=0).acquire()
        assert caught.value.wait == 60
        assert exchange.requests == ["/a", "/free", "/b"]
        clock.step(60_000)
        await waiting
    assert exchange.requests[-1] == "/c"


async def test_a_request_that_was_never_sent_costs_nothing(open_app: Open, clock: SteppedClock) -> None:
    limits = open_app(clock=clock).limits(WEIGHT)
    transport = LimitedTransport(limits, usage=usage)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/a")
    assert await used(limits) == {"weight": 0, "open": 0}


async def test_a_blocking_httpx_client_takes_and_observes(
    open_app: Open, clock: SteppedClock, exchange: Exchange
) -> None:
    limits = open_app(clock=clock).limits(WEIGHT)
    exchange.replies = [(200, {"X-Used": "6"})]

    def ask(url: str) -> int:
        transport = BlockingLimitedTransport(limits, usage=usage)
        with httpx.Client(transport=transport, base_url=url) as client:
            client.get("/free")
            return client.get("/a").status_code

    exchange.replies.insert(0, (200, {}))
    assert await asyncio.to_thread(ask, exchange.url) == 200
    assert await used(limits) == {"weight": 6, "open": 0}
    with pytest.raises(httpx.ConnectError):
        await asyncio.to_thread(ask, "http://127.0.0.1:1")
    assert await used(limits) == {"weight": 6, "open": 0}


async def test_an_aiohttp_session_takes_and_observes(
    open_app: Open, clock: SteppedClock, exchange: Exchange
) -> None:
    aiohttp = pytest.importorskip("aiohttp", reason="of a hook that needs it: `make install`")
    from stockyard.limits.aiohttp import limit_requests

    limits = open_app(clock=clock).limits(WEIGHT)
    exchange.replies = [(200, {"X-Used": "6"}), (200, {}), (429, {"Retry-After": "7"})]
    hook = limit_requests(
        limits, usage=lambda request: None if request.url.path == "/free" else Usage({"weight": 4, "open": 1})
    )
    async with aiohttp.ClientSession(exchange.url, middlewares=(hook,)) as session:
        async with session.get("/a"):
            assert await used(limits) == {"weight": 6, "open": 0}
        async with session.get("/free"), session.get("/b") as reply:
            assert reply.status == 429
    assert await used(limits) == {"weight": 10, "open": 0}
    assert (await limits.status()).frozen == {"": 7.0}
    async with aiohttp.ClientSession("http://127.0.0.1:1", middlewares=(hook,)) as session:
        clock.step(60_000)
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("/a")
    assert await used(limits) == {"weight": 0, "open": 0}

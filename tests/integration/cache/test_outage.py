"""A second server for the caches, and a server that is away."""

import asyncio
import time
from collections.abc import Callable

import pytest

from stockyard import App, ServerError, Settings, Topology
from tests.integration.cache.conftest import MakeApp
from tests.support.servers import OwnServer
from tests.support.waiting import eventually

MakeServer = Callable[..., OwnServer]


async def test_caches_live_on_a_server_of_their_own_without_an_account(
    make_server: MakeServer, make_app: MakeApp, prefix: str, raw: object
) -> None:
    second = make_server(options={"maxmemory": "8mb", "maxmemory-policy": "allkeys-lru", "appendonly": "no"})
    app = make_app(cache=second.url)
    cache = app.cache("c", str, near="10s")
    for start in range(0, 2000, 50):
        assert await cache.set_many({str(each): "x" * 10_000 for each in range(start, start + 50)}) == 50
    # Within one second all are equally old to the server, and any may go.
    assert set((await cache.get_many(map(str, range(1000, 2000)))).values()) == {"x" * 10_000}
    assert await cache.get_or_set("k", lambda: "loaded") == "loaded"
    stats = cache.stats()
    assert (stats.errors, stats.bytes, stats.entries) == (0, 0, 0)
    assert await app.caches.usage() == []
    assert await app.caches.budget() is None
    with second.client() as client:
        assert client.info("stats")["evicted_keys"] > 0
        assert not list(client.scan_iter(f"{prefix}::cache::*", count=1000))
    assert not list(raw.scan_iter(f"{prefix}*", count=1000))  # type: ignore[attr-defined]


async def test_another_login_to_the_server_of_the_queues_keeps_the_budget(
    own_server: OwnServer, make_app: MakeApp
) -> None:
    app = make_app(own_server.url, cache=own_server.url.replace("db=0", "db=1"))
    assert await app.caches.budget() == 256 * 2**20
    await app.cache("c").set("k", 1)
    assert [each.entries for each in await app.caches.usage()] == [1]


async def test_an_evicted_tag_ends_its_entries_rather_than_reviving_them(
    make_server: MakeServer, make_app: MakeApp, prefix: str
) -> None:
    second = make_server()
    cache = make_app(cache=second.url).cache("c", int)
    await cache.set("k", 1, tags=["x"])
    await cache.invalidate("x")
    await cache.set("l", 2, tags=["x"])
    with second.client() as client:
        client.delete(f"{prefix}::cache:c::t:x")
    assert (await cache.get("k"), await cache.get("l")) == (None, None)


async def test_without_its_server_a_cache_shares_loads_and_raises_nothing(
    own_server: OwnServer, make_app: MakeApp
) -> None:
    cache = make_app(own_server.url, call_timeout=0.3).cache("c", int)
    assert await cache.get_or_set("k", lambda: 1) == 1
    own_server.kill()
    assert await cache.get_or_set("k", lambda: 2) == 2
    assert cache.stats().errors >= 1
    with pytest.raises(ServerError):
        await cache.get("k")
    with pytest.raises(ServerError):
        await cache.set("k", 3)
    own_server.start()

    async def is_back() -> bool:
        return await cache.get_or_set("l", lambda: 4) == 4 and await cache.get("l") == 4

    await eventually(is_back)


async def test_whether_its_server_is_back_one_caller_finds_out_and_nobody_else_waits(
    own_server: OwnServer, make_app: MakeApp
) -> None:
    cache = make_app(own_server.url, call_timeout=1).cache("c", int)
    assert await cache.get_or_set("k", lambda: 1) == 1
    own_server.pause()
    assert await cache.get_or_set("l", lambda: 2) == 2
    away_until = time.monotonic() + 1
    await eventually(lambda: time.monotonic() > away_until)
    asking = [asyncio.create_task(cache.get_or_set(f"{each}", lambda: 3)) for each in range(10)]
    await eventually(lambda: sum(each.done() for each in asking) == 9, within=0.9)
    own_server.resume()
    assert await asyncio.gather(*asking) == [3] * 10


async def test_a_server_that_refuses_is_warned_of_once(
    own_server: OwnServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings.load(own_server.url, prefix=prefix, dotenv=None)
    async with App(Topology("t"), settings=settings) as app:
        cache = app.cache("c", int)
        with own_server.client() as client:
            for expected in (1, 2):
                client.config_set("min-replicas-to-write", 1)
                for each in range(5):
                    assert await cache.get_or_set(f"{each}", lambda: 1) == 1
                assert len([each for each in caplog.messages if "loads without its lock" in each]) == expected
                client.config_set("min-replicas-to-write", 0)
                assert await cache.get_or_set(f"stored {expected}", lambda: 1) == 1

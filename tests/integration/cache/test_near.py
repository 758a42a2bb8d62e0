"""Copies in the process: never older than the word of a write, and none while that word cannot come."""

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stockyard import App, Cache, Settings, Topology
from stockyard._store.caches.caching import CacheKeyspace
from stockyard._store.caches.tracking import Tracking
from stockyard._store.net.async_connection import AsyncConnection
from stockyard._store.net.server import Server
from stockyard._wire.own_keys import stored_key
from stockyard.cache.near import NearCache
from stockyard.model.naming import Naming
from stockyard.testing.proxy import Proxy
from tests.integration.cache.conftest import MakeApp
from tests.support.servers import OwnServer
from tests.support.waiting import eventually, ticks


async def near_on(cache: Cache[int]) -> NearCache:
    """Use a cache until its copies are kept true."""
    near = cache.near
    assert near is not None
    await cache.get("_")
    await eventually(lambda: near.is_on)
    return near


async def told(near: NearCache, monkeypatch: pytest.MonkeyPatch, write: Awaitable[Any], *keys: str) -> None:
    """Write, and wait until the word of it has come: a copy made before that falls with it, as it may be old."""
    heard: set[str] = set()
    forget = near.forget

    def noted(key: str) -> None:
        forget(key)
        heard.add(key)

    monkeypatch.setattr(near, "forget", noted)
    await write
    await eventually(lambda: heard >= set(map(stored_key, keys)))


async def kept(cache: Cache[int], key: str = "k") -> int:
    """Read an entry until there is a copy of it; return the copy."""

    async def is_kept() -> bool:
        await cache.get(key)
        return cache.peek(key) is not None

    await eventually(is_kept)
    return int(cache.peek(key, 0))


async def test_a_write_that_is_told_in_one_piece_with_the_answer_to_tracking_is_heard(
    app: App, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, read = app.cache("c", int), AsyncConnection.read_bytes

    async def read_more(line: AsyncConnection, seconds: float) -> bytes:
        piece = await read(line, seconds)
        if piece == b"+OK\r\n":
            await cache.set("k", 1)
            piece += await read(line, seconds)
        return piece

    monkeypatch.setattr(AsyncConnection, "read_bytes", read_more)
    server = Server(app.settings.address)
    tracking = Tracking(CacheKeyspace(server, Naming(prefix)), "c")
    await tracking.open()
    assert (await tracking.hear()).entries == ["k"]
    await tracking.close()
    await server.aclose()


async def test_a_copy_is_made_by_reading_and_answers_without_the_server(app: App) -> None:
    cache = app.cache("c", int, near="10s")
    await near_on(cache)
    assert cache.peek("k", "none") == "none"
    await cache.set("k", 5)
    assert await kept(cache) == 5
    before = cache.stats()
    for _ in range(100):
        assert await cache.get("k") == 5
    assert await cache.get_or_set("k", lambda: 6) == 5
    after = cache.stats()
    assert after.near_hits - before.near_hits == 101
    assert (after.hits, after.misses) == (before.hits, before.misses)


@pytest.mark.parametrize("change", ["set", "delete", "invalidate", "clear"])
async def test_a_write_elsewhere_ends_the_copy(make_app: MakeApp, change: str) -> None:
    here, there = make_app().cache("c", int, near="1h"), make_app().cache("c", int)
    await near_on(here)
    await there.set("k", 1, tags=["x"])
    assert await kept(here) == 1
    expected = None
    match change:
        case "set":
            await there.set("k", 2)
            expected = 2
        case "delete":
            await there.delete("k")
        case "invalidate":
            await there.invalidate("x")
        case _:
            await there.clear()
    await eventually(lambda: here.peek("k") is None)
    assert await here.get("k") == expected


async def test_a_write_elsewhere_ends_the_copy_of_a_long_key(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = make_app().cache("c", int, near="1h"), make_app().cache("c", int)
    near = await near_on(here)
    key = "limits of €" * 50
    await told(near, monkeypatch, there.set_many({key: 1, "short": 1}), key, "short")
    assert await kept(here, key) == await kept(here, "short") == 1
    await there.set(key, 2)
    await eventually(lambda: here.peek(key) is None)
    assert await here.get(key) == 2
    assert here.peek("short") == 1


@pytest.mark.parametrize("change", ["set", "delete", "invalidate"])
async def test_a_write_here_is_seen_at_once(app: App, change: str) -> None:
    cache = app.cache("c", int, near="1h")
    await near_on(cache)
    for number in range(20):
        await cache.set("k", number, tags=["x"])
        assert await cache.get("k") == number
        match change:
            case "set":
                assert await cache.set("k", -number)
                assert await cache.get("k") == -number
            case "delete":
                await cache.delete("k")
                assert await cache.get("k") is None
            case _:
                await cache.invalidate("x")
                assert await cache.get("k") is None


async def test_a_loop_that_never_pauses_sees_a_write_elsewhere(make_app: MakeApp) -> None:
    here, there = make_app().cache("c", int, near="1h"), make_app().cache("c", int)
    await near_on(here)
    await there.set("k", 1)
    assert await kept(here) == 1

    looping = threading.Event()

    def write() -> None:
        assert looping.wait(10)
        there.sync.set("k", 2)

    writing = asyncio.create_task(asyncio.to_thread(write))
    await asyncio.sleep(0)
    deadline = time.monotonic() + 10
    # A hit does not suspend, so nothing else runs in this loop meanwhile.
    while await here.get("k") == 1:
        looping.set()
        assert time.monotonic() < deadline
    await writing


async def test_copies_end_with_the_entry_and_are_few(make_app: MakeApp) -> None:
    cache = make_app().cache("c", int, near="1h", near_entries=3, jitter=0)
    near = await near_on(cache)
    await cache.set("short", 1, "200ms")
    assert await kept(cache, "short") == 1
    await eventually(lambda: cache.peek("short") is None)
    await cache.set_many({str(each): each for each in range(10)})
    await cache.get_many(map(str, range(10)))
    await cache.get_many(map(str, range(10)))
    assert len(near.kept) <= 3


async def test_nothing_is_kept_while_writes_are_not_heard_of(
    make_server: Callable[..., OwnServer], prefix: str
) -> None:
    server = make_server(port=True)
    async with Proxy(server.url) as proxy:
        app = App(Topology("t"), settings=Settings.load(proxy.url, prefix=prefix, dotenv=None))
        other = App(Topology("t"), settings=Settings.load(server.url, prefix=prefix, dotenv=None))
        async with app, other:
            here, there = app.cache("c", int, near="1h"), other.cache("c", int)
            near = await near_on(here)
            await there.set("k", 1)
            assert await kept(here) == 1

            # Open but silent: no word of the write can come.
            proxy.hold()
            await there.set("k", 2)
            await eventually(lambda: not near.is_on)
            assert here.peek("k") is None
            proxy.release()
            await eventually(lambda: near.is_on)
            assert await kept(here) == 2

            await proxy.refuse()
            await eventually(lambda: not near.is_on)
            assert near.kept == {}
            await there.set("k", 3)
            await proxy.accept()
            assert await here.get("k") == 3
            await eventually(lambda: near.is_on)
            assert await kept(here) == 3


async def test_a_server_that_lost_everything_ends_all_copies(own_server: OwnServer, prefix: str) -> None:
    server = own_server
    async with App(Topology("t"), settings=Settings.load(server.url, prefix=prefix, dotenv=None)) as app:
        cache = app.cache("c", int, near="1h")
        near = await near_on(cache)
        await cache.set("k", 1)
        assert await kept(cache) == 1
        with server.client() as client:
            client.flushall()
        await eventually(lambda: cache.peek("k") is None)
        assert near.is_on


async def test_readers_and_writers_at_once_never_keep_what_is_old(make_app: MakeApp) -> None:
    here, there = make_app().cache("c", int, near="1h"), make_app().cache("c", int)
    await near_on(here)
    end = time.monotonic() + 2
    written = 0

    async def write() -> None:
        nonlocal written
        async for _ in ticks(0.002):
            if time.monotonic() > end:
                break
            await there.set("k", written + 1, tags=["x"])
            written += 1

    async def read() -> None:
        while time.monotonic() < end:
            await here.get("k")
            await asyncio.sleep(0)

    await asyncio.gather(write(), *(read() for _ in range(5)))
    # Whatever order words and answers came in, the last copy is of the last write.
    await eventually(lambda: here.peek("k") in (None, written))
    assert await here.get("k") == written
    assert here.stats().near_hits > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
async def test_a_forked_child_has_no_copies(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = app.cache("c", int, near="1h")
    near = await near_on(cache)
    await told(near, monkeypatch, cache.set("k", 1), "k")
    assert await kept(cache) == 1
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, str(cache.peek("k")).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"None"
    # In the parent they are still heard of and kept; the word of a write that was under way may have ended one.
    assert near.is_on
    assert await kept(cache) == 1
    os.close(reading)
    os.close(writing)

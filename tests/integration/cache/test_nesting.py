"""Loads within loads: they neither use up the threads nor wait for themselves."""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis

from stockyard import App, Cache
from stockyard.errors import LoadCycle, SharedWorkCancelled
from tests.integration.cache.conftest import MakeApp
from tests.support.waiting import eventually

MANY = 64
"""Threads that are started without delay for plain loaders."""


async def directly(cache: Cache[Any], key: str) -> Any:
    return await cache.get_or_set(key, lambda: "inner")


async def in_a_task(cache: Cache[Any], key: str) -> Any:
    return await asyncio.create_task(directly(cache, key))


async def in_a_thread(cache: Cache[Any], key: str) -> Any:
    return await asyncio.to_thread(lambda: cache.sync.get_or_set(key, lambda: "inner"))


async def in_a_thread_with_the_context(cache: Cache[Any], key: str) -> Any:
    found: list[Any] = []
    context = contextvars.copy_context()

    def ask() -> None:
        try:
            found.append(cache.sync.get_or_set(key, lambda: "inner"))
        except LoadCycle as error:
            found.append(error)

    thread = threading.Thread(target=context.run, args=(ask,))
    thread.start()
    await asyncio.to_thread(thread.join)
    if isinstance(found[0], LoadCycle):
        raise found[0]
    return found[0]


WAYS = [directly, in_a_task, in_a_thread, in_a_thread_with_the_context]


@pytest.mark.parametrize("ask", WAYS)
async def test_a_load_that_asks_for_its_own_key_raises_and_the_next_caller_loads(app: App, ask: Any) -> None:
    cache = app.cache("c")
    async with asyncio.timeout(60):
        with pytest.raises(LoadCycle, match=r"load of 'k' in cache 'c' would wait for itself \('k' -> 'k'\)"):
            await cache.get_or_set("k", lambda: ask(cache, "k"))
        assert await cache.get_or_set("k", lambda: 1) == 1


async def test_a_plain_loader_that_asks_for_its_own_key_raises(app: App) -> None:
    blocking = app.cache("c").sync
    async with asyncio.timeout(60):
        with pytest.raises(LoadCycle):
            await asyncio.to_thread(blocking.get_or_set, "k", lambda: blocking.get_or_set("k", lambda: "never"))


@pytest.mark.parametrize("ask", WAYS)
async def test_a_circle_of_loads_raises_in_whatever_cache_and_app(make_app: MakeApp, ask: Any) -> None:
    one, two = make_app().cache("c"), make_app().cache("d")

    async def a() -> Any:
        return await two.get_or_set("b", b)

    async def b() -> Any:
        return await ask(one, "a")

    async with asyncio.timeout(60):
        with pytest.raises(LoadCycle, match="'b' -> 'a' -> 'b'"):
            await one.get_or_set("a", a)


async def test_two_callers_whose_loads_wait_for_each_other_do_not_hang(app: App) -> None:
    cache = app.cache("c")
    both = asyncio.Barrier(2)

    def loader(other: str) -> Callable[[], Awaitable[Any]]:
        async def load() -> Any:
            await both.wait()
            return await cache.get_or_set(other, lambda: "other")

        return load

    async with asyncio.timeout(60):
        found = await asyncio.gather(
            cache.get_or_set("a", loader("b")), cache.get_or_set("b", loader("a")), return_exceptions=True
        )
    assert {type(each) for each in found} == {LoadCycle}


async def test_a_task_that_outlives_its_load_may_ask_for_the_key(app: App) -> None:
    cache = app.cache("c")
    is_over = asyncio.Event()
    later: list[asyncio.Task[Any]] = []

    async def refresh() -> Any:
        await is_over.wait()
        await cache.delete("k")
        return await cache.get_or_set("k", lambda: 2)

    async def load() -> int:
        later.append(asyncio.create_task(refresh()))
        return 1

    assert await cache.get_or_set("k", load) == 1
    is_over.set()
    assert await later[0] == 2


@pytest.mark.parametrize("is_shared", [False, True])
async def test_plain_loads_within_plain_loads_never_use_up_the_threads(app: App, is_shared: bool) -> None:
    """Each thread that is started without delay runs a loader that waits for another plain loader."""
    cache = app.cache("c")
    blocking = cache.sync
    are_full = threading.Barrier(MANY)

    def outer(key: str) -> Any:
        are_full.wait(30)
        return blocking.get_or_set("inner" if is_shared else f"inner of {key}", lambda: 1)

    async with asyncio.timeout(60):
        assert await asyncio.gather(*(cache.get_or_set(f"{at}", outer) for at in range(MANY))) == [1] * MANY


async def test_a_loader_may_wait_for_a_load_that_stands_in_line(app: App) -> None:
    cache = app.cache("c")
    loop = asyncio.get_running_loop()
    are_full = threading.Barrier(MANY)

    def outer() -> Any:
        are_full.wait(30)
        # Not within the context of this load: nothing tells that one waits for the other.
        waiting = asyncio.run_coroutine_threadsafe(cache.get_or_set("last", lambda: 1), loop)
        return waiting.result()

    async with asyncio.timeout(60):
        asking = [
            asyncio.create_task(cache.get_or_set(f"{at}", lambda: contextvars.Context().run(outer)))
            for at in range(MANY)
        ]
        assert await asyncio.gather(*asking) == [1] * MANY


@pytest.mark.parametrize("is_nested", [True, False])
async def test_the_wait_for_a_load_of_another_process_is_bounded(
    app: App, raw: "redis.Redis", prefix: str, is_nested: bool
) -> None:
    cache = app.cache("c", lock="100ms")
    # A lock that nobody ends: its process waits for what is loaded here.
    raw.set(f"{prefix}::cache:c::l:k:lock", "another process")

    async def outer() -> Any:
        return await cache.get_or_set("k", lambda: 1)

    async with asyncio.timeout(60):
        assert await (cache.get_or_set("outer", outer) if is_nested else outer()) == 1
    assert raw.get(f"{prefix}::cache:c::l:k:lock") == "another process"


async def test_a_loader_that_is_cancelled_within_raises_an_ordinary_error(app: App) -> None:
    cache = app.cache("c")

    async def cancelled() -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        task.cancel()
        await task

    for loader in (cancelled, lambda: cancelled()):
        with pytest.raises(SharedWorkCancelled, match="load of 'k' in cache 'c' was cancelled"):
            await cache.get_or_set("k", loader)
    assert await cache.get_or_set("k", lambda: 1) == 1


async def test_who_waits_for_a_load_when_the_app_closes_is_not_taken_for_cancelled(app: App) -> None:
    cache = app.cache("c")
    has_begun = asyncio.Event()

    async def load() -> None:
        has_begun.set()
        await asyncio.Event().wait()

    asking = [asyncio.create_task(cache.get_or_set("k", load)) for _ in range(3)]
    await has_begun.wait()
    await eventually(lambda: cache.stats().waits == 2)
    asking[2].cancel()
    await asyncio.wait([asking[2]])
    await app.aclose()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(each) for each in found] == [SharedWorkCancelled, SharedWorkCancelled, asyncio.CancelledError]

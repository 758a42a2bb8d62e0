"""One load for all who ask, whatever becomes of those who asked and of what is loaded."""

import asyncio
import contextvars
import functools
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import redis

from stockyard import App, Cache, PayloadError
from tests.integration.cache.conftest import MakeApp
from tests.support.waiting import eventually


class Loader:
    """A loader that waits to be let go, and counts its runs."""

    def __init__(self, value: object = 1) -> None:
        self.runs = 0
        self.value = value
        self.go_on = asyncio.Event()

    async def __call__(self) -> object:
        self.runs += 1
        run = self.runs
        await self.go_on.wait()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value if self.value is None else (self.value, run)[1]


async def test_all_who_ask_at_once_share_one_load(make_app: MakeApp) -> None:
    load = Loader()
    caches = [make_app().cache("c", int) for _ in range(3)]
    asking = asyncio.gather(*(cache.get_or_set("k", load) for cache in caches for _ in range(20)))
    await eventually(lambda: sum(cache.stats().waits for cache in caches) == 59)
    load.go_on.set()
    assert await asking == [1] * 60
    assert load.runs == 1
    assert sum(cache.stats().loads for cache in caches) == 1
    assert await caches[0].get_or_set("k", load) == 1


async def test_a_cancelled_caller_does_not_cancel_the_load(app: App) -> None:
    load = Loader()
    cache = app.cache("c", int)
    first = asyncio.create_task(cache.get_or_set("k", load))
    await eventually(lambda: load.runs == 1)
    second = asyncio.create_task(cache.get_or_set("k", load))
    await eventually(lambda: cache.stats().waits == 1)
    first.cancel()
    await asyncio.wait([first])
    load.go_on.set()
    assert await second == 1
    assert load.runs == 1


async def test_a_load_that_all_callers_left_is_stored(app: App) -> None:
    load = Loader()
    cache = app.cache("c", int)
    only = asyncio.create_task(cache.get_or_set("k", load))
    await eventually(lambda: load.runs == 1)
    only.cancel()
    await asyncio.wait([only])
    load.go_on.set()

    async def is_stored() -> bool:
        return await cache.get("k") == 1

    await eventually(is_stored)


async def test_an_error_reaches_all_who_wait_here_and_others_try_themselves(
    make_app: MakeApp, raw: "redis.Redis", prefix: str
) -> None:
    load, other = Loader(ValueError("no limits today")), Loader()
    here, there = make_app().cache("c", int), make_app().cache("c", int)
    asking = asyncio.gather(*(here.get_or_set("k", load) for _ in range(5)), return_exceptions=True)
    await eventually(lambda: here.stats().waits == 4 and load.runs == 1)
    elsewhere = asyncio.create_task(there.get_or_set("k", other))
    await eventually(lambda: there.stats().waits == 1)
    load.go_on.set()
    other.go_on.set()
    assert [str(each) for each in await asking] == ["no limits today"] * 5
    assert await elsewhere == 1
    assert (load.runs, other.runs) == (1, 1)
    assert await here.get("k") == 1
    assert not raw.exists(f"{prefix}::cache:c::l:k:lock")


async def test_what_no_coroutine_can_raise_ends_a_load_too(app: App, raw: "redis.Redis", prefix: str) -> None:
    cache = app.cache("c", int)
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        await asyncio.wait_for(cache.get_or_set("k", lambda: next(iter([]))), 5)
    assert not raw.exists(f"{prefix}::cache:c::l:k:lock")


async def test_what_does_not_fit_is_an_error_and_frees_the_lock(app: App, raw: "redis.Redis", prefix: str) -> None:
    cache = app.cache("c", int)
    with pytest.raises(PayloadError, match="would not be read back"):
        await cache.get_or_set("k", lambda: "text")
    assert not raw.exists(f"{prefix}::cache:c::l:k:lock")
    assert await cache.get_or_set("k", lambda: 5) == 5


async def test_loaders_of_every_kind(app: App) -> None:
    cache = app.cache("c")

    async def with_key(key: str) -> str:
        return key

    async def of(account: str) -> str:
        return account

    told: contextvars.ContextVar[str] = contextvars.ContextVar("told", default="")
    told.set("context")
    assert await cache.get_or_set("a", with_key) == "a"
    assert await cache.get_or_set("b", lambda: of("lambda")) == "lambda"
    assert await cache.get_or_set("c", functools.partial(of, "partial")) == "partial"
    assert await cache.get_or_set("d", lambda account="bound": account) == "bound"
    assert await cache.get_or_set("e", lambda key: [key, told.get()]) == ["e", "context"]
    assert await cache.get_or_set("f", lambda: threading.current_thread().name) != threading.current_thread().name
    assert await cache.get_or_set("g", dict) == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_runs_plain_loaders(make_app: MakeApp) -> None:
    cache = make_app().cache("c", int)
    assert cache.sync.get_or_set("k", os.getpid) == os.getpid()
    child = os.fork()
    if not child:
        # Killed if it waits for a thread that only its parent has.
        signal.alarm(10)
        os._exit(0 if cache.sync.get_or_set("l", os.getpid) == os.getpid() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert cache.sync.get("l") == child


async def test_stale_values_are_served_while_one_refresh_runs(make_app: MakeApp) -> None:
    caches = [make_app().cache("c", int, jitter=0) for _ in range(2)]
    load = Loader()
    load.go_on.set()
    assert await caches[0].get_or_set("k", load, "20ms", stale="1m") == 1
    load.go_on.clear()

    async def is_stale() -> bool:
        return await caches[0].get("k") is None

    await eventually(is_stale)
    asked = await asyncio.gather(*(cache.get_or_set("k", load, "1m", stale="1m") for cache in caches * 10))
    assert asked == [1] * 20
    assert sum(cache.stats().stale for cache in caches) == 20
    await eventually(lambda: load.runs == 2 and sum(cache.stats().waits for cache in caches) == 1)
    load.go_on.set()

    async def is_refreshed() -> bool:
        return await caches[0].get("k") == 2

    await eventually(is_refreshed)
    assert load.runs == 2


async def test_who_takes_nothing_stale_waits(app: App) -> None:
    cache = app.cache("c", int, jitter=0)
    assert await cache.get_or_set("k", lambda: 1, "20ms", stale="1m") == 1
    await eventually(lambda: _is_missing(cache))
    assert await cache.get_or_set("k", lambda: 2) == 2


async def test_a_refresh_that_fails_is_counted_and_tried_again(app: App) -> None:
    cache = app.cache("c", int, jitter=0)
    assert await cache.get_or_set("k", lambda: 1, "1ms", stale="1m") == 1
    await eventually(lambda: _is_missing(cache))

    async def fail() -> int:
        raise OSError("down")

    assert await cache.get_or_set("k", fail, stale="1m") == 1
    await eventually(lambda: cache.stats().errors == 1)
    assert await cache.get_or_set("k", lambda: 2, stale="1m") == 1

    async def is_refreshed() -> bool:
        return await cache.get("k") == 2

    await eventually(is_refreshed)


async def test_an_eager_reader_refreshes_before_the_end(app: App) -> None:
    cache = app.cache("c", int)
    load = Loader()
    load.go_on.set()
    assert await cache.get_or_set("k", load, "1h") == 1
    # So eager that a load of a moment is worth an hour.
    assert await cache.get_or_set("k", load, "1h", early=1e12) == 1

    async def is_refreshed() -> bool:
        return await cache.get("k") == 2

    await eventually(is_refreshed)
    assert await cache.get_or_set("k", load, "1h") == 2
    assert load.runs == 2


async def test_nothing_is_remembered_as_long_as_asked(app: App, raw: "redis.Redis", prefix: str) -> None:
    cache = app.cache("c", int, jitter=0)
    load = Loader(None)
    load.go_on.set()
    for _ in range(2):
        assert await cache.get_or_set("k", load, "1h", negative_ttl="10s") is None
    assert load.runs == 1
    assert 9000 < raw.pttl(f"{prefix}::cache:c::e:k") <= 10_000
    for _ in range(2):
        assert await cache.get_or_set("l", load, negative_ttl=0) is None
    assert load.runs == 3
    assert raw.pttl(f"{prefix}::cache:c::e:l") == -2
    assert not raw.exists(f"{prefix}::cache:c::l:l:lock")


async def test_what_is_written_during_a_load_stays(make_app: MakeApp) -> None:
    here, there = make_app().cache("c", int), make_app().cache("c", int)
    load = Loader()
    asking = asyncio.create_task(here.get_or_set("k", load))
    await eventually(lambda: load.runs == 1)
    await there.set("k", 9)
    assert await here.get_or_set("k", load) == 9
    load.go_on.set()
    assert await asking == 1
    assert await there.get("k") == 9


@pytest.mark.parametrize("forget", [lambda cache: cache.delete("k"), lambda cache: cache.clear()])
async def test_who_asks_after_a_deletion_is_not_answered_from_before(
    make_app: MakeApp, forget: Callable[[Cache[int]], Awaitable[int]]
) -> None:
    here, there = make_app().cache("c", int), make_app().cache("c", int)
    load = Loader()
    before = asyncio.create_task(here.get_or_set("k", load))
    await eventually(lambda: load.runs == 1)
    await forget(there)
    after = asyncio.create_task(here.get_or_set("k", load))
    await eventually(lambda: here.stats().waits == 1)
    load.go_on.set()
    assert (await before, await after) == (1, 2)
    assert await there.get("k") == 2


class Limit(msgspec.Struct, frozen=True):
    account: str
    amount: int


async def test_a_function_s_answers_are_remembered_by_their_key(app: App) -> None:
    limits = app.cache("limits", Limit)
    calls = []

    @limits.memo(
        ttl="1m", key=lambda account, amount=0: f"{account}/{amount}", tags=lambda account, amount=0: [account]
    )
    async def limit(account: str, amount: int = 0) -> Limit:
        """Say what an account may."""
        calls.append(account)
        return Limit(account, amount)

    assert await limit("a", 5) == await limit("a", amount=5) == Limit("a", 5)
    assert await limit("b") == Limit("b", 0)
    assert calls == ["a", "b"]
    assert await limits.get("a/5") == Limit("a", 5)
    assert (limit.__name__, limit.__doc__) == ("limit", "Say what an account may.")
    await limits.invalidate("a")
    await limit("a", 5)
    await limit("b")
    assert calls == ["a", "b", "a"]
    assert await limit.forget("b")
    await limit("b")
    assert calls == ["a", "b", "a", "b"]


async def test_a_plain_function_and_a_method_are_remembered_by_all_their_arguments(app: App) -> None:
    cache = app.cache("c", int)
    calls = []

    @cache.memo
    def double(number: int, *, times: int = 1) -> int:
        calls.append(number)
        return 2 * number * times

    class Desk:
        def __init__(self, name: str) -> None:
            self.name = name

        @cache.memo(key=lambda desk, number: f"{desk.name}/{number}", tags=lambda desk, _number: [desk.name])
        async def risk(self, number: int) -> int:
            calls.append(number)
            return number + len(self.name)

    assert await double(3) == await double(number=3, times=1) == 6
    assert await double(3, times=2) == 12
    assert calls == [3, 3]
    desk = Desk("x")
    assert await desk.risk(7) == await desk.risk(7) == 8
    assert await Desk("yy").risk(7) == 9
    assert calls == [3, 3, 7, 7]
    assert await asyncio.to_thread(double.sync, 3) == 6
    assert await desk.risk.forget(7)
    assert await asyncio.to_thread(desk.risk.sync, 7) == 8
    assert calls == [3, 3, 7, 7, 7]


async def _is_missing(cache: Cache[Any]) -> bool:
    return await cache.get("k") is None

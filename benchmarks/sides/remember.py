"""Uses a cache in the way that `what` names, and answers how fast that went or what came of it."""

import asyncio
import random
import time
from typing import Any

import uvloop

from benchmarks.sides.ground import ARGUMENTS, TOPOLOGY, answer
from stockyard import App, Cache, Settings

VALUE = "x" * 1000


async def near(app: App) -> dict[str, Any]:
    """Answers from the process's own copy, by `get` and by `peek`."""
    cache, number = await _kept(app), ARGUMENTS["calls"]
    rates = {}
    start = time.perf_counter()
    for _ in range(number):
        await cache.get("k")
    rates["get"] = number / (time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range(number):
        cache.peek("k")
    rates["peek"] = number / (time.perf_counter() - start)
    if cache.stats().near_hits < 2 * number:
        raise AssertionError(f"not all were near hits: {cache.stats()}")
    return rates


async def watch(app: App) -> dict[str, Any]:
    """How long after another process wrote its present moment a `get` here first returned it."""
    cache, waited = await _kept(app), []
    answer({"ready": True})
    last: Any = 0
    while len(waited) < ARGUMENTS["writes"]:
        value = await cache.get("k")
        if value != last and isinstance(value, int):
            waited.append((time.monotonic_ns() - value) / 1e6)
            last = value
        await asyncio.sleep(0)
    waited.sort()
    return {"p50": waited[len(waited) // 2], "p99": waited[int(len(waited) * 0.99)], "max": waited[-1]}


async def write(app: App) -> dict[str, Any]:
    """The other process: writes its present moment, fifty times a second."""
    cache = app.cache("bench")
    for _ in range(ARGUMENTS["writes"]):
        await cache.set("k", time.monotonic_ns())
        await asyncio.sleep(0.02)
    return {}


async def calls(app: App) -> dict[str, Any]:
    """`set` and `get` of a value of 1,000 characters, 200 at a time."""
    cache, number = app.cache("bench"), ARGUMENTS["calls"]
    rates = {}
    for name in ("set", "get"):
        start = time.perf_counter()
        for at in range(0, number, 200):
            keys = [str(each % 10_000) for each in range(at, at + 200)]
            if name == "set":
                await asyncio.gather(*(cache.set(key, VALUE) for key in keys))
            else:
                await asyncio.gather(*(cache.get(key) for key in keys))
        rates[name] = number / (time.perf_counter() - start)
    return rates


async def press(app: App) -> dict[str, Any]:
    """Ten times as much as the budget holds is asked for, by Zipf's law, and jobs are added beside it."""
    cache, queue = app.cache("bench"), app.queue("bench")
    budget = await app.caches.budget() or 0
    keys = 10 * budget // len(VALUE)
    drawn = random.Random(1).choices(
        range(keys), weights=[1 / (each + 1) for each in range(keys)], k=ARGUMENTS["calls"]
    )
    for at in range(0, len(drawn), 20):
        await asyncio.gather(
            *(cache.get_or_set(str(key), _load) for key in drawn[at : at + 20]),
            queue.add("noop", {"i": at}),
        )
    stats = cache.stats()
    # The best that any cache of as many entries could do: always the most asked for.
    best = sum(1 / (each + 1) for each in range(stats.entries)) / sum(1 / (each + 1) for each in range(keys))
    return {
        "hit_rate": 100 * stats.hits / (stats.hits + stats.misses),
        "best": 100 * best,
        "evictions": stats.evictions,
        "errors": stats.errors,
        "full": 100 * stats.bytes / budget,
    }


async def _load() -> str:
    return VALUE


async def _kept(app: App) -> Cache[Any]:
    cache = app.cache("bench", near="10m")
    await cache.set("k", VALUE)
    # The word of this very write ends a copy, too; a `peek` does not make another one.
    await asyncio.sleep(0.1)
    while cache.peek("k") is None:
        await cache.get("k")
        await asyncio.sleep(0.001)
    return cache


async def _opened() -> dict[str, Any]:
    settings = Settings.load(ARGUMENTS["url"], dotenv=None, cache_bytes=ARGUMENTS.get("budget"))
    async with App(TOPOLOGY, settings=settings) as app:
        found: dict[str, Any] = await globals()[ARGUMENTS["what"]](app)
        return found


answer(uvloop.run(_opened()))

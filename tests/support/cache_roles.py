"""What the user `cache` of `deploy/users.acl` does."""

import asyncio

import msgspec

from stockyard import App
from tests.support.stage import Stage
from tests.support.waiting import eventually


async def remember(stage: Stage) -> None:
    await stage.at_the_server("SCRIPT", "FLUSH")
    cache = stage.app.cache(stage.name, ttl="1h")
    await cache.set("a", 1, tags=["t"])
    await cache.set_many({"b": 2, "c": 3})
    await cache.set_many({"b": 3, "c": 4})
    for price in (5, 6, 7):
        await cache.set("c", price)
    await cache.get("a")
    await cache.get_many(["a", "b", "d"])
    await cache.delete("b")
    await cache.invalidate("t")
    await cache.get("a")
    await cache.set("brief", 1, ttl="5ms", tags=["u"])

    async def is_over() -> bool:
        return await cache.get("brief") is None

    await eventually(is_over)
    await cache.set("a", 1, tags=["t"])
    await cache.clear()


async def load(stage: Stage) -> None:
    lock = 0.2
    cache = stage.app.cache(stage.name, ttl="1h", lock=f"{lock}s")

    begun = asyncio.Event()

    async def slowly() -> int:
        begun.set()
        await asyncio.sleep(1.5 * lock)
        return 1

    await cache.get_or_set("a", slowly, tags=["t"])
    loading = asyncio.create_task(cache.get_or_set("c", slowly))
    begun.clear()
    await begun.wait()
    # Whoever keeps the lock of the load finds it gone.
    await stage.admin.cache(stage.name).set("c", 2)
    await loading
    await asyncio.gather(cache.get_or_set("b", slowly, tags=["t"]), cache.get_or_set("b", slowly))


async def account(stage: Stage) -> None:
    cache = stage.app.cache(stage.name, ttl="1h")
    await cache.set("a", 1)
    await stage.app.caches.usage()
    await stage.app.caches.budget()
    small = App(stage.topology, settings=msgspec.structs.replace(stage.app.settings, cache_bytes=1000))
    await small.cache(stage.name).set("b", "x" * 300)
    await small.aclose()


async def keep_near(stage: Stage) -> None:
    cache = stage.app.cache(stage.name, ttl="1h", near="1h")
    await cache.set("a", 1)

    async def is_near() -> bool:
        await cache.get("a")
        return bool(cache.peek("a") == 1)

    await eventually(is_near, within=60)
    await stage.admin.cache(stage.name).set("a", 2)
    await eventually(lambda: cache.peek("a") != 1, within=60)


CACHE = (remember, load, account, keep_near)

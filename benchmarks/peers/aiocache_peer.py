"""aiocache: its default settings on Redis; for `get_or_set` its decorator."""

import json
import os
from urllib.parse import urlsplit

import uvloop
from aiocache import Cache, cached
from cache_calls import VALUE, cache_calls, load
from entry import URL, main


async def calls():
    where = {"endpoint": urlsplit(URL).hostname, "port": urlsplit(URL).port}
    cache = Cache(Cache.REDIS, **where)

    @cached(cache=Cache.REDIS, key_builder=lambda _function, key: key, **where)
    async def get_or_set(key):
        return await load()

    rates = await cache_calls(
        {"set": lambda key: cache.set(key, VALUE), "get": cache.get, "get_or_set": get_or_set},
        divisor=int(os.environ["BENCH_DIVISOR"]),
    )
    await get_or_set.cache.close()
    await cache.close()
    print(json.dumps(rates), flush=True)


if __name__ == "__main__":
    main(calls=lambda: uvloop.run(calls()))

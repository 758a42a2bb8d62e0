"""cashews: its default settings on Redis."""

import json
import os

import uvloop
from cache_calls import VALUE, cache_calls, load
from cashews import cache
from entry import URL, main


async def calls():
    cache.setup(URL)
    rates = await cache_calls(
        {
            "set": lambda key: cache.set(key, VALUE, expire=600),
            "get": cache.get,
            "get_or_set": lambda key: cache.get_or_set(key, load, expire=600),
        },
        divisor=int(os.environ["BENCH_DIVISOR"]),
    )
    await cache.close()
    print(json.dumps(rates), flush=True)


if __name__ == "__main__":
    main(calls=lambda: uvloop.run(calls()))

"""Calls `set`, `get` and `get_or_set` of a cache without near copies, one by one and 50 at once."""

from typing import Any

from benchmarks.peers.cache_calls import VALUE, cache_calls, load
from benchmarks.sides.ground import ARGUMENTS, main
from stockyard import App


async def calls(app: App) -> dict[str, Any]:
    cache = app.cache("bench")
    return await cache_calls(
        {
            "set": lambda key: cache.set(key, VALUE),
            "get": cache.get,
            "get_or_set": lambda key: cache.get_or_set(key, load),
        },
        divisor=ARGUMENTS["divisor"],
    )


main(calls)

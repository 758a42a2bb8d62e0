"""The calls of the row `cache-calls`: one loop for all caches, ours too."""

import asyncio
import time
from collections.abc import Awaitable, Callable

VALUE = "x" * 1_000
KEYS = 1_000
CALLS = {1: 4_000, 50: 20_000}


async def cache_calls(
    calls: dict[str, Callable[[str], Awaitable[object]]], *, divisor: int = 1
) -> dict[str, float]:
    """Make each call for key after key, one by one and 50 at once; return calls a second, `get 50` for example.

    The first call must fill all keys.
    """
    keys = [f"k{n}" for n in range(KEYS)]
    rates = {}
    for at_once, number in CALLS.items():
        number = max(number // divisor, KEYS)
        for name, call in calls.items():
            start = time.perf_counter()
            if at_once == 1:
                for n in range(number):
                    seen = await call(keys[n % KEYS])
            else:
                for n in range(0, number, at_once):
                    seen = (await asyncio.gather(*(call(key) for key in keys[n % KEYS : n % KEYS + at_once])))[0]
            rates[f"{name} {at_once}"] = number / (time.perf_counter() - start)
            if name != "set" and seen != VALUE:
                raise AssertionError(f"{name} returned {seen!r:.20}")
    return rates


async def load() -> str:
    """The loader of `get_or_set`: never called, for all keys are there."""
    raise AssertionError("a key was missing")

"""How long work takes beside other work: bounds of time in tests are those of a machine that has time for them."""

import asyncio
import os
import sys
import time

_WORK = "sum(range(3_000_000))"


async def contention() -> float:
    """Return how many times its processor time a program takes now; 1 where nothing else runs, never less."""
    before, began = os.times(), time.monotonic()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _WORK)
    await process.wait()
    took, after = time.monotonic() - began, os.times()
    worked = after.children_user + after.children_system - before.children_user - before.children_system
    return max(took / worked, 1.0) if worked else 1.0

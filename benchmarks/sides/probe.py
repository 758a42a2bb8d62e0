"""Adds `jobs` jobs at `rate` a second; each carries the moment just before its add."""

import asyncio
import time
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, main
from stockyard import App


async def probe(app: App) -> dict[str, Any]:
    queue = app.queue(QUEUE)
    period = 1e9 / ARGUMENTS["rate"]
    start = time.monotonic_ns()
    adding = []
    for i in range(ARGUMENTS["jobs"]):
        wait = start + i * period - time.monotonic_ns()
        if wait > 0:
            await asyncio.sleep(wait / 1e9)
        adding.append(asyncio.ensure_future(queue.add("probe", {"i": i, "sent": time.monotonic_ns()})))
    await asyncio.gather(*adding)
    return {"added": len(adding)}


main(probe)

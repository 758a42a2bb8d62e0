"""Adds a job and waits for its result, one at a time, and answers how long each took, in milliseconds."""

import time
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, main, payload
from stockyard import App


async def call(app: App) -> dict[str, Any]:
    queue = app.queue(QUEUE)
    took = []
    for n in range(ARGUMENTS["calls"]):
        start = time.monotonic_ns()
        job = await queue.add("noop", payload(n))
        await job.wait_for_result(timeout=30)
        took.append((time.monotonic_ns() - start) / 1e6)
    return {"took": took}


main(call)

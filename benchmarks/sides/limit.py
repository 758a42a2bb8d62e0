"""Works a queue limited to `limit` jobs a second for some windows, and answers the rate that came of it."""

import asyncio
import time
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, main
from stockyard import App, Job


async def limit(app: App) -> dict[str, Any]:
    # The first job of a window and that of the tenth after it: ten windows lie between the two.
    jobs = ARGUMENTS["limit"] * ARGUMENTS["windows"]
    finished = asyncio.get_running_loop().create_future()
    seen = first = 0

    async def noop(job: Job[Any]) -> None:
        nonlocal seen, first
        if not seen:
            first = time.monotonic_ns()
        seen += 1
        if seen == jobs + 1:
            finished.set_result(time.monotonic_ns())

    await app.queue(QUEUE).set_rate(f"{ARGUMENTS['limit']}/s")
    worker = app.worker(QUEUE, noop, concurrency=100)
    running = asyncio.create_task(worker.run())
    last = await finished
    await worker.stop()
    await running
    return {"rate": jobs / ((last - first) / 1e9)}


main(limit)

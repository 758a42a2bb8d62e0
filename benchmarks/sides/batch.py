"""Processes `jobs` waiting jobs by calls for up to `batch` of them; answers the rate from first call to last."""

import asyncio
import time
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, main
from stockyard import App, Job, Router


async def batch(app: App) -> dict[str, Any]:
    wanted = ARGUMENTS["jobs"]
    finished = asyncio.get_running_loop().create_future()
    seen = first = calls = 0

    async def noop(jobs: list[Job[Any]]) -> None:
        nonlocal seen, first, calls
        first = first or time.monotonic_ns()
        seen += len(jobs)
        calls += 1
        if seen == wanted:
            finished.set_result(time.monotonic_ns())

    router = Router()
    router.add("noop", noop, batch=ARGUMENTS["batch"], wait="50ms")
    worker = app.worker(QUEUE, router, concurrency=ARGUMENTS["concurrency"])
    running = asyncio.create_task(worker.run())
    last = await finished
    await worker.stop()
    await running
    return {"rate": wanted / ((last - first) / 1e9), "calls": calls}


main(batch)

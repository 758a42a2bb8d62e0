"""Adds `jobs` jobs of `keys` keys in order, or without keys, and processes them; answers both rates."""

import asyncio
import time
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, main, payload
from stockyard import App, Job

GROUP = 500


async def keyed(app: App) -> dict[str, Any]:
    jobs, keys = ARGUMENTS["jobs"], ARGUMENTS["keys"]
    queue = app.queue("ordered" if keys else "bench")

    def job(number: int) -> tuple[str, Any, dict[str, Any]]:
        return "noop", payload(number), {"key": f"K{number % keys}"} if keys else {}

    start = time.perf_counter()
    for first in range(0, jobs, GROUP):
        await queue.add_many([job(number) for number in range(first, min(first + GROUP, jobs))])
    added = jobs / (time.perf_counter() - start)

    finished = asyncio.get_running_loop().create_future()
    seen = first_at = 0

    async def noop(job: Job[Any]) -> None:
        nonlocal seen, first_at
        first_at = first_at or time.monotonic_ns()
        seen += 1
        if seen == jobs:
            finished.set_result(time.monotonic_ns())

    worker = app.worker(queue.name, noop, concurrency=ARGUMENTS["concurrency"])
    running = asyncio.create_task(worker.run())
    last = await finished
    await worker.stop()
    await running
    rate = (jobs - 1) / ((last - first_at) / 1e9)
    return {"added": added, "rate": rate, "completed": await queue.count("completed")}


main(keyed)

"""Processes `jobs` CPU-bound jobs in `processes` warm child processes and answers the rate."""

import asyncio
import time
from typing import Any

from benchmarks.sides.burning import burn
from benchmarks.sides.ground import ARGUMENTS, main
from stockyard import App


async def process(app: App) -> dict[str, Any]:
    jobs, processes = ARGUMENTS["jobs"], ARGUMENTS["processes"]
    queue = app.queue("burn")
    worker = app.worker("burn", burn, concurrency=processes)
    running = asyncio.create_task(worker.run())

    async def run(number: int) -> float:
        start = time.perf_counter()
        added = await queue.add_many([("burn", {"i": n}) for n in range(number)])
        await asyncio.gather(*(job.wait_for_result(timeout=120) for job in added))
        return time.perf_counter() - start

    await run(4 * processes)
    seconds = await run(jobs)
    await worker.stop()
    await running
    return {"rate": jobs / seconds}


if __name__ == "__main__":
    main(process)

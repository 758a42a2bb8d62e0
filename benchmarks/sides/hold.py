"""A worker whose `jobs` handlers all run, with leases of half a second, until it is ended."""

import asyncio
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, answer, main
from stockyard import App, Job


async def hold(app: App) -> dict[str, Any]:
    jobs = ARGUMENTS["jobs"]
    running = 0
    all_run, never = asyncio.Event(), asyncio.Event()

    async def wait(job: Job[Any]) -> None:
        nonlocal running
        running += 1
        if running == jobs:
            all_run.set()
        await never.wait()

    working = asyncio.create_task(app.worker(QUEUE, wait, concurrency=jobs, lock="500ms", grace=0).run())
    await all_run.wait()
    answer({"ready": True})
    await working
    return {}


main(hold)

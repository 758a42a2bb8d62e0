"""A worker without jobs that looks for some ten times a second, until it is ended."""

import asyncio
from typing import Any

from benchmarks.sides.ground import QUEUE, answer, main
from stockyard import App, Job


async def noop(job: Job[Any]) -> None:
    pass


async def idle(app: App) -> dict[str, Any]:
    worker = app.worker(QUEUE, noop, concurrency=1, drain_delay="100ms")
    running = asyncio.create_task(worker.run())
    await worker.ready.wait()
    answer({"ready": True})
    await running
    return {}


main(idle)

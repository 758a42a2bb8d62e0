"""Works a queue of jobs that need no work, until it is ended."""

import asyncio
from typing import Any

from benchmarks.sides.ground import QUEUE, answer, main
from stockyard import App, Job


async def serve(app: App) -> dict[str, Any]:
    async def noop(job: Job[Any]) -> None:
        pass

    worker = app.worker(QUEUE, noop, concurrency=100)
    running = asyncio.create_task(worker.run())
    await worker.ready.wait()
    answer({"ready": True})
    await running
    return {}


main(serve)

"""Answers, once `jobs` probes have come, when each was sent and how long it took to the handler's first line."""

import asyncio
import time
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, answer, main
from stockyard import App, Job


async def listen(app: App) -> dict[str, Any]:
    finished = asyncio.Event()
    probes: list[tuple[int, int]] = []

    async def note(job: Job[Any]) -> None:
        now = time.monotonic_ns()
        probes.append((job.data["sent"], now - job.data["sent"]))
        if len(probes) == ARGUMENTS["jobs"]:
            finished.set()

    worker = app.worker(QUEUE, note, concurrency=ARGUMENTS["concurrency"])
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0.5)
    answer({"ready": True})
    await finished.wait()
    await worker.stop()
    await running
    return {"probes": probes}


main(listen)

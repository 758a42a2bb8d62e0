"""Processes `jobs` waiting jobs and answers the rate between the first handler's start and the last one's.

With `resident_after`, it also answers the process's resident memory in bytes when that many handlers have started.
With `observed`, it first answers where its metrics are, and watches the queues each second.
"""

import asyncio
import resource
import time
from pathlib import Path
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, answer, main
from stockyard import App, Job
from stockyard.observe.alerts.settings import AlertSettings


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def process(app: App) -> dict[str, Any]:
    jobs = ARGUMENTS["jobs"]
    stops = frozenset(ARGUMENTS.get("resident_after", ()))
    finished = asyncio.get_running_loop().create_future()
    seen = first = 0
    memory: list[int] = []

    async def noop(job: Job[Any]) -> None:
        nonlocal seen, first
        if not seen:
            first = time.monotonic_ns()
        seen += 1
        if seen in stops:
            memory.append(resident())
        if seen == jobs:
            finished.set_result(time.monotonic_ns())

    if ARGUMENTS.get("observed"):
        answer({"metrics": app.serve_metrics().url})
        watcher = app.watcher(AlertSettings(interval=1.0))
        await watcher.start()
    worker = app.worker(QUEUE, noop, concurrency=ARGUMENTS["concurrency"])
    running = asyncio.create_task(worker.run())
    last = await finished
    await worker.stop()
    await running
    return {"rate": (jobs - 1) / ((last - first) / 1e9), "resident": memory}


main(process)

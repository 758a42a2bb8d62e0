"""Processes `jobs` waiting jobs; answers rate and processor time from the first handler's start to the last's.

With `resident_after`, it also answers the process's resident memory in bytes when that many handlers have started.
With `observed`, it first answers where its metrics are, and watches the queues each second.
With `sample`, that share of the jobs is traced; the spans are counted and dropped.
With `gated`, each handler has an effect, and counts behind it.
"""

import asyncio
import resource
import time
from pathlib import Path
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, answer, main
from benchmarks.sides.spans import counted_spans
from stockyard import App, Job
from stockyard.observe.alerts.settings import AlertSettings


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def process(app: App) -> dict[str, Any]:
    jobs = ARGUMENTS["jobs"]
    stops = frozenset(ARGUMENTS.get("resident_after", ()))
    finished = asyncio.get_running_loop().create_future()
    seen = first = cpu = 0
    memory: list[int] = []

    async def noop(job: Job[Any]) -> None:
        nonlocal seen, first, cpu
        if not seen:
            first, cpu = time.monotonic_ns(), time.process_time_ns()
        seen += 1
        if seen in stops:
            memory.append(resident())
        if seen == jobs:
            finished.set_result((time.monotonic_ns(), time.process_time_ns()))

    async def gated(job: Job[Any]) -> None:
        async with job.effect(job.id, max_duration="10s") as effect:
            effect.record()
        await noop(job)

    if ARGUMENTS.get("observed"):
        answer({"metrics": app.serve_metrics().url})
        alert_monitor = app.alert_monitor(AlertSettings(interval=1.0))
        await alert_monitor.start()
    spans = counted_spans(ARGUMENTS.get("sample"))
    worker = app.worker(QUEUE, gated if ARGUMENTS.get("gated") else noop, concurrency=ARGUMENTS["concurrency"])
    running = asyncio.create_task(worker.run())
    last, cpu_last = await finished
    await worker.stop()
    await running
    rate = (jobs - 1) / ((last - first) / 1e9)
    return {"rate": rate, "cpu_seconds": (cpu_last - cpu) / 1e9, "resident": memory, "spans": spans()}


main(process)

"""Works `schedules` schedules at 1 s for some seconds; answers runs a second and how late they start.

The first two seconds, in which the schedules find their rhythm, are not counted.
"""

import asyncio
import time
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, main
from stockyard import App, Job


async def schedule(app: App) -> dict[str, Any]:
    late: list[float] = []
    begin = float("inf")
    end = float("inf")

    async def noop(job: Job[Any]) -> None:
        due = int(job.id.rpartition(":")[2])
        if begin <= due < end:
            late.append(time.time() * 1000 - due)

    schedules = app.schedules(QUEUE)
    await asyncio.gather(
        *(schedules.upsert(f"s{number}", every="1s", name="noop") for number in range(ARGUMENTS["schedules"]))
    )
    worker = app.worker(QUEUE, noop, concurrency=100)
    working = asyncio.create_task(worker.run())
    await worker.ready.wait()
    begin = time.time() * 1000 + 2000
    end = begin + ARGUMENTS["seconds"] * 1000
    await asyncio.sleep(2 + ARGUMENTS["seconds"] + 1)
    await worker.stop()
    await working
    late.sort()
    return {"rate": len(late) / ARGUMENTS["seconds"], "late_p99": late[int(len(late) * 0.99)]}


main(schedule)

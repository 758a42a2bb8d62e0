"""Adds `jobs` jobs in groups, by calls of `add` at once or by `add_many`; answers rate and processor time."""

import asyncio
import time
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, main, payload
from stockyard import App


async def add(app: App) -> dict[str, Any]:
    queue = app.queue(QUEUE)
    jobs, group = ARGUMENTS["jobs"], ARGUMENTS["group"]

    async def one_by_one(numbers: range) -> None:
        await asyncio.gather(*(queue.add("noop", payload(n)) for n in numbers))

    async def in_bulk(numbers: range) -> None:
        await queue.add_many([("noop", payload(n)) for n in numbers])

    call = {"add": one_by_one, "add_many": in_bulk}[ARGUMENTS["call"]]

    async def groups(number: int) -> None:
        for start in range(0, number, group):
            await call(range(start, min(start + group, number)))

    await groups(group * 10)
    start, cpu = time.perf_counter(), time.process_time()
    await groups(jobs)
    return {"rate": jobs / (time.perf_counter() - start), "cpu_seconds": time.process_time() - cpu}


main(add)

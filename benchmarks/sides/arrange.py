"""Adds `jobs` ticks of 500 symbols by `add_many` of 500, `kind` plainly, coalesced or bounded; answers a rate."""

import time
from typing import Any

from benchmarks.sides.ground import ARGUMENTS, main
from stockyard import App

GROUP = SYMBOLS = 500
QUEUES = {"plain": "bench", "coalesced": "ticks", "bounded": "bounded"}


async def arrange(app: App) -> dict[str, Any]:
    kind, jobs = ARGUMENTS["kind"], ARGUMENTS["jobs"]
    queue = app.queue(QUEUES[kind])

    async def add(first: int, number: int) -> None:
        options = [{"coalesce": f"S{at}"} if kind == "coalesced" else {} for at in range(SYMBOLS)]
        for at in range(first, first + number, GROUP):
            await queue.add_many(("tick", {"seq": at + each}, options[each % SYMBOLS]) for each in range(GROUP))

    await add(0, GROUP * 10)
    start = time.perf_counter()
    await add(GROUP * 10, jobs)
    return {"rate": jobs / (time.perf_counter() - start)}


main(arrange)

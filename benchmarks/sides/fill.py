"""Adds `jobs` waiting jobs, 500 at a time."""

from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, main
from stockyard import App


async def fill(app: App) -> dict[str, Any]:
    queue, jobs = app.queue(QUEUE), ARGUMENTS["jobs"]
    for start in range(0, jobs, 500):
        await queue.add_many([("noop", {"i": n}) for n in range(start, min(start + 500, jobs))])
    return {"added": jobs}


main(fill)

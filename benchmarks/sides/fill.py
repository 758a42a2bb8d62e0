"""Adds `jobs` waiting jobs, 500 at a time; with `sample`, that share of the calls is traced."""

from typing import Any

from benchmarks.sides.ground import ARGUMENTS, QUEUE, main
from benchmarks.sides.spans import counted_spans
from stockyard import App


async def fill(app: App) -> dict[str, Any]:
    queue, jobs = app.queue(QUEUE), ARGUMENTS["jobs"]
    counted_spans(ARGUMENTS.get("sample"))
    for start in range(0, jobs, 500):
        await queue.add_many([("noop", {"i": n}) for n in range(start, min(start + 500, jobs))])
    return {"added": jobs}


main(fill)

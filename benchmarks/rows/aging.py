"""Adding to a queue whose jobs age, against one of plain priorities."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.bench import Bench
from benchmarks.rounds import Turn
from benchmarks.table import Row

JOBS = 20_000
HELD = 1_000


def aging(bench: Bench) -> list[Row]:
    """Adding with priority, 200 at a time, to one queue, with aging and without."""
    jobs = bench.jobs(JOBS)

    def onto(aging: str) -> Turn:
        def rate() -> Mapping[str, float]:
            arguments = {"jobs": jobs, "queues": 1, "held": HELD, "group": 200, "aging": aging}
            with bench.ours("prioritize", **arguments) as side:
                answer = side.answer()
                side.end()
            return {"rate": answer["rate"]}

        return rate

    seen = bench.alternate({"aging": onto("30s"), "plain": onto("")})
    what = "add with priority, aging"
    return [Row(what, "jobs/s", seen["aging"]["rate"], seen["plain"]["rate"], "itself, without aging", ">= 0.5")]

"""Large payloads: added and processed, against BullMQ on Node."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.bench import Bench
from benchmarks.processes import Side
from benchmarks.rounds import Turn
from benchmarks.rows.adding import measured_add
from benchmarks.rows.processing import measured_process
from benchmarks.table import Row

# Characters; jobs; how many are added at a time; what is required of adding and of processing.
SIZES = ((10_000, 10_000, 200, ">= 1.4"), (100_000, 2_000, 50, ">= 1.05"))


def payloads(bench: Bench) -> list[Row]:
    """Payloads of 10 KB and of 100 KB: added one by one at once, then processed by one worker process."""
    return [row for size, jobs, group, required in SIZES for row in _of(bench, size, jobs, group, required)]


def _of(bench: Bench, size: int, number: int, group: int, required: str) -> list[Row]:
    jobs = bench.jobs(number)

    def turn(start: Callable[..., Side]) -> Turn:
        def measured() -> Mapping[str, float]:
            added = measured_add(bench, start, jobs, group, "add", size)
            processed = measured_process(bench, start, jobs + 10 * group)
            return {"added": added["rate"], "processed": processed["rate"]}

        return measured

    sides = {"ours": turn(bench.ours)}
    if bench.versus:
        sides["node"] = turn(bench.node)
    seen = bench.alternate(sides)
    rows = []
    for figure, verb in (("added", f"add, {group} at a time"), ("processed", "process")):
        what, ours = f"payloads of {size // 1000} KB, {verb}", seen["ours"][figure]
        if bench.versus:
            rows.append(Row(what, "jobs/s", ours, seen["node"][figure], "BullMQ on Node", required))
        else:
            rows.append(Row(what, "jobs/s", ours))
    return rows

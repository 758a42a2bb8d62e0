"""What happens at its time: runs of schedules, and jobs let through by a rate limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.bench import Bench
from benchmarks.processes import Side
from benchmarks.rounds import Figures, Turn
from benchmarks.table import Row

SCHEDULES = 1_000
LIMITS = (10, 1_000)


def schedules(bench: Bench) -> list[Row]:
    """1,000 schedules at 1 s: whether every tick is run, and how late the latest hundredth starts."""
    number, seconds = (200, 3) if bench.quick else (SCHEDULES, 10)

    def turn(start: Callable[..., Side]) -> Turn:
        def measured() -> Mapping[str, float]:
            with start("schedule", schedules=number, seconds=seconds) as side:
                answer = side.answer()
                side.end()
            return {"rate": answer["rate"], "late": answer["late_p99"]}

        return measured

    sides = {"ours": turn(bench.ours)}
    if bench.versus:
        sides["node"] = turn(bench.node)
    seen = bench.alternate(sides)
    due = Figures((float(number),) * bench.rounds)
    what = f"runs of {number:,} schedules at 1 s"
    rows = [Row(what, "runs/s", seen["ours"]["rate"], due, "what is due", "0.98 .. 1.02")]
    late = f"lateness of their starts, p99 of {seconds} s"
    if bench.versus:
        rows.append(Row(what, "runs/s", seen["node"]["rate"], due, "(BullMQ on Node, of what is due)"))
        rows.append(Row(late, "ms", seen["ours"]["late"], seen["node"]["late"], "(BullMQ on Node)"))
    else:
        rows.append(Row(late, "ms", seen["ours"]["late"]))
    return rows


def limits(bench: Bench) -> list[Row]:
    """A queue's window limit with plenty waiting: the rate over ten windows against the limit itself."""
    rows = []
    for limit in LIMITS:
        windows = 3 if bench.quick else 10

        def turn(start: Callable[..., Side], limit: int = limit, windows: int = windows) -> Turn:
            def measured() -> Mapping[str, float]:
                with start("fill", jobs=limit * windows + 1) as side:
                    side.end()
                with start("limit", limit=limit, windows=windows) as side:
                    answer = side.answer()
                    side.end()
                return {"rate": answer["rate"]}

            return measured

        sides = {"ours": turn(bench.ours)}
        if bench.versus:
            sides["node"] = turn(bench.node)
        seen = bench.alternate(sides)
        told = Figures((float(limit),) * bench.rounds)
        what = f"queue limited to {limit:,}/s"
        rows.append(Row(what, "jobs/s", seen["ours"]["rate"], told, "the limit", "0.98 .. 1.02"))
        if bench.versus:
            rows.append(Row(what, "jobs/s", seen["node"]["rate"], told, "(BullMQ on Node, of the limit)"))
    return rows

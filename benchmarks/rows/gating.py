"""Emptying a queue of waiting jobs that have an effect each, which is begun and committed."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.bench import Bench
from benchmarks.rows.processing import UNIT, WHAT, measured_process
from benchmarks.table import Row

JOBS = 20_000


def gated(bench: Bench) -> list[Row]:
    """One worker on jobs with an effect each, and on the same jobs without."""
    jobs = bench.jobs(JOBS)

    def turn(*, gated: bool) -> Mapping[str, float]:
        with bench.ours("fill", jobs=jobs) as side:
            side.end()
        return measured_process(bench, bench.ours, jobs, gated=gated)

    seen = bench.alternate({"gated": lambda: turn(gated=True), "plain": lambda: turn(gated=False)})
    what, name = f"{WHAT} with an effect each", "itself, without effects"
    with_effects, without = seen["gated"], seen["plain"]
    return [
        Row(what, UNIT, with_effects["rate"], without["rate"], name, ">= 0.5"),
        Row(f"{what}, server CPU per job", "µs", with_effects["server_us"], without["server_us"], f"({name})"),
        Row(f"{what}, worker CPU per job", "µs", with_effects["worker_us"], without["worker_us"], f"({name})"),
    ]

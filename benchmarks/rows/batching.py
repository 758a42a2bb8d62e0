"""Emptying a queue by calls for many jobs at once, against a call for each."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.bench import Bench
from benchmarks.rows.processing import measured_process
from benchmarks.table import Row

JOBS = 20_000
BATCH = 100
CONCURRENCY = 200


def batches(bench: Bench) -> list[Row]:
    """The rate of an empty handler, two calls of 100 jobs at a time, against 100 single ones."""
    jobs = bench.jobs(JOBS)

    def fill() -> None:
        with bench.ours("fill", jobs=jobs) as side:
            side.end()

    def in_batches() -> Mapping[str, float]:
        fill()
        with bench.ours("batch", jobs=jobs, batch=BATCH, concurrency=CONCURRENCY) as side:
            answer = side.answer()
            side.end()
        bench.server.await_completed(jobs)
        return {"rate": answer["rate"]}

    def one_by_one() -> Mapping[str, float]:
        fill()
        return {"rate": measured_process(bench, bench.ours, jobs)["rate"]}

    seen = bench.alternate({"batches": in_batches, "single": one_by_one})
    what = f"process {jobs:,} in batches of {BATCH}"
    return [Row(what, "jobs/s", seen["batches"]["rate"], seen["single"]["rate"], "itself, one by one", ">= 0.5")]

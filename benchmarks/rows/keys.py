"""What order per key costs: jobs with keys against plain ones of the same run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from benchmarks.bench import Bench
from benchmarks.processes import SideFailed
from benchmarks.table import Row

JOBS, KEYS, CONCURRENCY = 20_000, 500, 100


def keyed(bench: Bench) -> list[Row]:
    """Add and process jobs of 500 keys in order, and as many without."""
    seen = bench.alternate({"keyed": partial(_turn, bench, KEYS), "plain": partial(_turn, bench, 0)})
    ours, plain = seen["keyed"], seen["plain"]
    what = f"jobs of {KEYS} keys in order"
    return [
        Row(f"{what}, add_many of 500", "jobs/s", ours["added"], plain["added"], "itself, without keys", ">= 0.5"),
        Row(f"{what}, process", "jobs/s", ours["rate"], plain["rate"], "itself, without keys", ">= 0.5"),
        Row(f"{what}, server CPU per job", "µs", ours["server_us"], plain["server_us"], "(itself, without keys)"),
    ]


def _turn(bench: Bench, keys: int) -> Mapping[str, float]:
    jobs = bench.jobs(JOBS)
    before = bench.server.cpu_seconds()
    with bench.ours("keyed", jobs=jobs, keys=keys, concurrency=CONCURRENCY) as side:
        answer = side.answer()
        side.end()
    if answer["completed"] != jobs:
        raise SideFailed(f"{answer['completed']:,} of {jobs:,} jobs are completed")
    used = (bench.server.cpu_seconds() - before) / jobs * 1e6
    return {"added": answer["added"], "rate": answer["rate"], "server_us": used}

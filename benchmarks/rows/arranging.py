"""Adding to queues that arrange what waits, against plain adds of the same ticks in the same run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from benchmarks.bench import Bench
from benchmarks.table import Row

JOBS = 50_000


def arranged(bench: Bench) -> list[Row]:
    """`queue.add_many` of 500 ticks, each of another symbol."""
    jobs = bench.jobs(JOBS)

    def measured(kind: str) -> Mapping[str, float]:
        with bench.ours("arrange", jobs=jobs, kind=kind) as side:
            answer = side.answer()
            side.end()
        return {"rate": answer["rate"]}

    seen = bench.alternate({kind: partial(measured, kind) for kind in ("coalesced", "bounded", "plain")})
    plain = seen["plain"]["rate"]
    return [
        Row(
            "add_many of 500, coalesced by 500 keys", "jobs/s", seen["coalesced"]["rate"], plain, "plain", ">= 0.5"
        ),
        Row("add_many of 500, bounded", "jobs/s", seen["bounded"]["rate"], plain, "plain", ">= 0.5"),
    ]

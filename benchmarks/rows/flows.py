"""Flows: parents with ten children each, added as trees and worked off, against BullMQ on Node."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.bench import Bench
from benchmarks.processes import Side, SideFailed
from benchmarks.rows.processing import CONCURRENCY
from benchmarks.table import Row

FLOWS = 3_000
CHILDREN = 10
GROUP = 20


def flows(bench: Bench) -> list[Row]:
    """Two rows: whole trees added a second, and whole trees worked off a second."""
    number = bench.jobs(FLOWS)
    jobs = number * (CHILDREN + 1)

    def turn(start: Callable[..., Side]) -> Mapping[str, float]:
        with start("flow", flows=number, children=CHILDREN, group=GROUP) as side:
            added = side.answer()["rate"]
            side.end()
        with start("process", jobs=jobs, concurrency=CONCURRENCY) as side:
            rate = side.answer()["rate"]
            side.end()
        if (completed := bench.server.completed()) != jobs:
            raise SideFailed(f"{completed:,} of {jobs:,} jobs are completed on the server")
        return {"added": added, "processed": rate / (CHILDREN + 1)}

    sides = {"ours": lambda: turn(bench.ours)}
    if bench.versus:
        sides["node"] = lambda: turn(bench.node)
    seen = bench.alternate(sides)
    rows = []
    for figure, what in (
        ("added", f"add flows of {CHILDREN} children, {GROUP} at a time"),
        ("processed", f"process flows of {CHILDREN} children"),
    ):
        peer = seen["node"][figure] if bench.versus else None
        name = "BullMQ on Node" if bench.versus else None
        rows.append(Row(what, "flows/s", seen["ours"][figure], peer, name, ">= 1.5" if bench.versus else None))
    return rows

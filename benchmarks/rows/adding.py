"""Adding jobs one by one at once, and in bulk, against BullMQ on Node."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.bench import Bench
from benchmarks.processes import Side, SideFailed
from benchmarks.table import Row

JOBS = 50_000


def add(bench: Bench) -> list[Row]:
    """`queue.add` called 200 at a time."""
    return _add(bench, "add", 200, "queue.add, 200 at a time", "BullMQ on Node, Promise.all of 200 add")


def add_many(bench: Bench) -> list[Row]:
    """`queue.add_many` of 500."""
    return _add(bench, "add_many", 500, "queue.add_many of 500", "BullMQ on Node, addBulk of 500")


def _add(bench: Bench, call: str, group: int, what: str, peer_name: str) -> list[Row]:
    jobs = bench.jobs(JOBS)

    def rate(side: Side) -> Mapping[str, float]:
        with side:
            answer = side.answer()
            side.end()
        # Ten groups come before the clock is started.
        if (added := bench.server.backlog()) != jobs + 10 * group:
            raise SideFailed(f"{added:,} jobs wait on the server instead of {jobs + 10 * group:,}")
        return {"rate": answer["rate"]}

    arguments = {"jobs": jobs, "group": group, "call": call}
    sides = {"ours": lambda: rate(bench.ours("add", **arguments))}
    if bench.versus:
        sides["node"] = lambda: rate(bench.node("add", **arguments))
    seen = bench.alternate(sides)
    ours = seen["ours"]["rate"]
    if not bench.versus:
        return [Row(what, "jobs/s", ours)]
    return [Row(what, "jobs/s", ours, seen["node"]["rate"], peer_name, ">= 2.0")]

"""Adding a job and waiting for its result, one at a time, against BullMQ on Node with QueueEvents."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.bench import Bench
from benchmarks.processes import Side
from benchmarks.rounds import Turn
from benchmarks.table import Row

CALLS = 2_000
WARM_UP = 100


def rpc(bench: Bench) -> list[Row]:
    """p50 and p99 of `add` and `wait_for_result`; a worker in another process does nothing."""
    calls = bench.jobs(CALLS) + WARM_UP

    def turn(start: Callable[..., Side]) -> Turn:
        def measured() -> Mapping[str, float]:
            with start("serve") as serving:
                serving.answer()
                with start("call", calls=calls) as calling:
                    took = sorted(calling.answer()["took"][WARM_UP:])
                    calling.end()
            return {"p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}

        return measured

    sides = {"ours": turn(bench.ours)}
    if bench.versus:
        sides["node"] = turn(bench.node)
    seen = bench.alternate(sides)
    rows = []
    for name, required in (("p50", "<= 0.95"), ("p99", "<= 0.5")):
        what, ours = f"add and wait for the result, one at a time, {name}", seen["ours"][name]
        if bench.versus:
            rows.append(Row(what, "ms", ours, seen["node"][name], "BullMQ on Node, QueueEvents", required))
        else:
            rows.append(Row(what, "ms", ours))
    return rows

"""What a waiting job costs the server, and whether a worker process grows with the jobs it has run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.bench import Bench
from benchmarks.processes import Side
from benchmarks.rounds import Turn
from benchmarks.table import Row

WAITING = 50_000
FEW, MANY = 10_000, 1_000_000


def of_the_server(bench: Bench) -> list[Row]:
    """The server's memory per waiting job, with the same ids, names and payloads, all connections closed."""
    jobs = bench.jobs(WAITING)

    def per_job(start: Callable[..., Side]) -> Turn:
        def fill(number: int) -> None:
            with start("fill", jobs=number) as side:
                side.end()

        def measured() -> Mapping[str, float]:
            # A first fill leaves the scripts in the server, which are not the jobs' memory.
            fill(500)
            bench.server.flush()
            before = bench.server.used_memory()
            fill(jobs)
            return {"bytes": (bench.server.used_memory() - before) / jobs}

        return measured

    sides = {"ours": per_job(bench.ours)}
    if bench.versus:
        sides["node"] = per_job(bench.node)
    seen = bench.alternate(sides)
    what, ours = "server memory per waiting job", seen["ours"]["bytes"]
    if not bench.versus:
        return [Row(what, "bytes", ours)]
    return [Row(what, "bytes", ours, seen["node"]["bytes"], "BullMQ on Node", "<= 1.0")]


def of_the_worker(bench: Bench) -> list[Row]:
    """The worker process's resident memory when it starts its 1,000,000th job and its 10,000th."""
    few, many = bench.jobs(FEW), bench.jobs(MANY)

    def measured() -> Mapping[str, float]:
        with bench.ours("fill", jobs=many) as side:
            side.end()
        arguments: dict[str, Any] = {"jobs": many, "concurrency": 100, "resident_after": [few, many]}
        with bench.ours("process", **arguments) as side:
            answer = side.answer()
            side.end()
        return {"few": answer["resident"][0] / 2**20, "many": answer["resident"][1] / 2**20}

    seen = bench.alternate({"ours": measured})["ours"]
    what, name = f"worker process memory after {many:,} jobs", f"itself, after {few:,}"
    return [Row(what, "MiB", seen["many"], seen["few"], name, "<= 1.1")]

"""Handlers in threads and in child processes, against the peers that work in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from benchmarks.bench import Bench
from benchmarks.environments import peer
from benchmarks.rounds import Turn
from benchmarks.table import Row, best_of
from benchmarks.tally import Tally

# Slower sides get fewer jobs: the rate is what counts.
JOBS = {"thread": 20_000, "process": 5_000}
CONCURRENCY = {"thread": 8, "process": 2}
REQUIRED = {"thread": ">= 2.0", "process": ">= 1.2"}
PEERS = {
    "thread": {"dramatiq": 10_000, "huey": 10_000},
    "process": {"dramatiq": 5_000, "huey": 10_000, "celery": 3_000, "rq": 1_000},
}


def executors(bench: Bench) -> list[Row]:
    """Eight threads, then two child processes, with handlers that do nothing but note their start."""
    return [row for executor in JOBS for row in _executor(bench, executor)]


def _executor(bench: Bench, executor: str) -> list[Row]:
    concurrency = CONCURRENCY[executor]

    def ours() -> Mapping[str, float]:
        jobs = bench.jobs(JOBS[executor])
        with bench.ours("fill", queue=executor, jobs=jobs) as side:
            side.end()
        with (
            Tally() as tally,
            bench.ours("execute", tally.environment, queue=executor, concurrency=concurrency) as side,
        ):
            rate = tally.rate(side, jobs)
            bench.server.await_completed(jobs, executor)
        return {"rate": rate}

    def theirs(name: str, jobs: int) -> Mapping[str, float]:
        return {"rate": bench.peer_rate(peer(name), bench.jobs(jobs), executor)}

    sides: dict[str, Turn] = {"ours": ours}
    if bench.versus:
        sides |= {name: partial(theirs, name, jobs) for name, jobs in PEERS[executor].items()}
    seen = bench.alternate(sides)
    kind = "threads" if executor == "thread" else "child processes"
    return best_of(f"handlers in {concurrency} {kind}", "jobs/s", seen, "rate", REQUIRED[executor])

"""From `add` to the handler's first line, at 200 jobs a second: against the peers, and beside a flooded queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks.bench import Bench
from benchmarks.environments import BULLMQ
from benchmarks.processes import Side, SideFailed
from benchmarks.rounds import Turn
from benchmarks.table import Row

RATE = 200
PROBES = 2_000
WARM_UP = 100
FLOOD = 100_000
HIGH, LOW = "portfolio:high_priority", "portfolio:low_priority"

Probe = Sequence[float]
"""When it was sent and how long it took, in nanoseconds of the machine's monotonic clock."""


def latency(bench: Bench) -> list[Row]:
    """p50 and p99 against the better of BullMQ on Node and bullmq for Python."""
    probes = bench.jobs(PROBES) + WARM_UP
    arguments = {"jobs": probes, "rate": RATE, "concurrency": 100}
    environment = {"BENCH_JOBS": str(probes), "BENCH_RATE": str(RATE), "BENCH_TALLY": "/dev/null"}

    sides: dict[str, Turn] = {
        "ours": lambda: percentiles(
            timed_probes(bench.ours("listen", **arguments), lambda: bench.ours("probe", **arguments))
        )
    }
    if bench.versus:
        sides["node"] = lambda: percentiles(
            timed_probes(bench.node("listen", **arguments), lambda: bench.node("probe", **arguments))
        )
        sides["bullmq"] = lambda: percentiles(
            timed_probes(
                bench.python(BULLMQ, "listen", environment),
                lambda: bench.python(BULLMQ, "probe", environment),
            )
        )
    seen = bench.alternate(sides)
    names = {"node": "BullMQ on Node", "bullmq": "bullmq for Python"}
    rows = []
    for name, required in (("p50", "<= 0.7"), ("p99", "<= 0.6")):
        what, ours = f"latency at {RATE} jobs/s, {name}", seen["ours"][name]
        if bench.versus:
            better = min(names, key=lambda side: seen[side][name].median)
            rows.append(Row(what, "ms", ours, seen[better][name], names[better], required))
        else:
            rows.append(Row(what, "ms", ours))
    return rows


def flood(bench: Bench) -> list[Row]:
    """p99 of the high-priority queue while the low-priority one takes in and works off a flood, and when idle."""
    probes, updates = bench.jobs(PROBES) + WARM_UP, bench.jobs(FLOOD)
    arguments = {"queue": HIGH, "jobs": probes, "rate": RATE, "concurrency": 20}

    def idle() -> Mapping[str, float]:
        seen = timed_probes(bench.ours("listen", **arguments), lambda: bench.ours("probe", **arguments))
        return percentiles(seen)

    def flooded() -> Mapping[str, float]:
        with (
            bench.ours("listen", **arguments) as listening,
            bench.ours("process", background=True, queue=LOW, jobs=updates, concurrency=5) as working,
        ):
            listening.answer()
            with bench.ours("probe", **arguments) as probing:
                time.sleep(1.5 * WARM_UP / RATE)
                begin = time.monotonic_ns()
                with bench.ours("fill", background=True, queue=LOW, jobs=updates) as flooding:
                    flooding.end()
                rate = working.answer()["rate"]
                end = time.monotonic_ns()
                seen = listening.answer()["probes"]
                probing.end()
        during = [probe for probe in seen if begin <= probe[0] <= end]
        if len(during) < 20:
            raise SideFailed(f"only {len(during)} probes were sent during the flood: it was over too soon")
        return {**percentiles(during, warm_up=0), "probes": len(during), "rate": rate}

    seen = bench.alternate({"idle": idle, "flooded": flooded})
    what = f"latency of {HIGH} while {LOW} is flooded with {updates:,}, p99"
    return [Row(what, "ms", seen["flooded"]["p99"], seen["idle"]["p99"], "itself, idle", "<= 2.0")]


def timed_probes(listen: Side, probe: Callable[[], Side]) -> list[Probe]:
    """Start a side that listens, then one that adds probes, and return them."""
    with listen:
        listen.answer()
        with probe() as probing:
            seen: list[Probe] = listen.answer()["probes"]
            probing.end()
    return seen


def percentiles(probes: Sequence[Probe], warm_up: int = WARM_UP) -> Mapping[str, float]:
    """Return p50 and p99 in milliseconds, without the probes that were sent first."""
    waited = sorted(took / 1e6 for _sent, took in sorted(map(tuple, probes))[warm_up:])
    return {"p50": waited[len(waited) // 2], "p99": waited[int(len(waited) * 0.99)]}

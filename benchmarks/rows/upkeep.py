"""What servers spend beside the jobs: on workers that wait, leases, readers of events, and looks at the slots."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.bench import Bench
from benchmarks.cluster import Cluster
from benchmarks.rounds import Figures, alternate
from benchmarks.table import Row

SECONDS = 4.0
HELD = 200
EVENTS, TIMES = 8_000, 20
LOOKS, PRIMARIES = 5_000, 8


def upkeep(bench: Bench) -> list[Row]:
    """Microseconds of a server's processor time for each of these."""

    def waits() -> Mapping[str, float]:
        idle = _watched(bench, "bzpopmin")
        with bench.ours("idle") as side:
            side.answer()
            return {"us": _more(_watched(bench, "bzpopmin"), idle)}

    def leases() -> Mapping[str, float]:
        idle = _watched(bench, "evalsha")
        with bench.ours("fill", jobs=HELD) as side:
            side.end()
        with bench.ours("hold", jobs=HELD) as side:
            side.answer()
            return {"us": _more(_watched(bench, "evalsha"), idle) / HELD}

    def events() -> Mapping[str, float]:
        with bench.ours("fill", jobs=EVENTS) as side:
            side.end()
        with bench.ours("reread", events=EVENTS, times=TIMES) as side:
            side.answer()
            before = bench.server.cpu_seconds()
            read = side.answer()["events"]
            return {"us": (bench.server.cpu_seconds() - before) / read * 1e6}

    seen = bench.alternate({"waits": waits, "leases": leases, "events": events})
    return [
        Row("server CPU for a wait without a job", "µs", seen["waits"]["us"]),
        Row(f"server CPU for renewing a lease, {HELD} a call", "µs", seen["leases"]["us"]),
        Row("server CPU for an event to one reader", "µs", seen["events"]["us"]),
        Row(f"server CPU for a look at the slots of {PRIMARIES} primaries", "µs", _look(bench)),
    ]


class _Window(NamedTuple):
    """Processor time of a server for some seconds, and how often a command was run meanwhile."""

    cpu_seconds: float
    calls: int


def _watched(bench: Bench, command: str) -> _Window:
    before, calls = bench.server.cpu_seconds(), bench.server.calls(command)
    time.sleep(0.5 if bench.quick else SECONDS)
    return _Window(bench.server.cpu_seconds() - before, bench.server.calls(command) - calls)


def _more(busy: _Window, idle: _Window) -> float:
    """Return the microseconds per call beside what the server spends when nobody asks."""
    return (busy.cpu_seconds - idle.cpu_seconds) / busy.calls * 1e6


def _look(bench: Bench) -> Figures:
    with Cluster(PRIMARIES) as cluster:

        def looks() -> Mapping[str, float]:
            before = cluster.cpu_seconds()[0]
            for _ in range(LOOKS):
                cluster.ask("CLUSTER", "SLOTS")
            return {"us": (cluster.cpu_seconds()[0] - before) / LOOKS * 1e6}

        return alternate({"slots": looks}, bench.rounds)["slots"]["us"]

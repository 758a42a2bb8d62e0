"""From `exec` to an import, and to a worker's first job; the memory of a worker that waits for more."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.environments import peer
from benchmarks.processes import Side
from benchmarks.rounds import Turn
from benchmarks.table import Row, best_of
from benchmarks.tally import Tally

STARTS = 5
PEERS = ("dramatiq", "celery")
IMPORTS = {
    "ours": "from stockyard import App",
    "dramatiq": "import dramatiq; from dramatiq.brokers.redis import RedisBroker",
    "celery": "from celery import Celery",
}


def start(bench: Bench) -> list[Row]:
    """The median of five starts in each turn: an import, the first job of a worker, its memory after that."""
    starts = 1 if bench.quick else STARTS

    def measured(name: str) -> Mapping[str, float]:
        seen = [_start(bench, name) for _ in range(starts)]
        return {figure: statistics.median(each[figure] for each in seen) for figure in seen[0]}

    sides: dict[str, Turn] = {"ours": partial(measured, "ours")}
    if bench.versus:
        sides |= {name: partial(measured, name) for name in PEERS}
    seen = bench.alternate(sides)
    return [
        *best_of("import", "s", seen, "import", "<= 1.0", less=True),
        *best_of("a worker's first job", "s after exec", seen, "first_job", "<= 1.0", less=True),
        *best_of("memory of a worker with all of its processes", "MiB", seen, "memory", "<= 1.0", less=True),
    ]


def _start(bench: Bench, name: str) -> Mapping[str, float]:
    python = sys.executable if name == "ours" else peer(name).python
    code = f"{IMPORTS[name]}; import time; print('{{\"at\":', time.monotonic_ns(), '}}')"
    began = time.monotonic_ns()
    with Side([python, "-c", code]) as side:
        imported = (side.answer()["at"] - began) / 1e9
    bench.server.flush()
    with Tally() as tally:
        environment = {"BENCH_JOBS": "1", "BENCH_MARK_START": "1", **tally.environment}
        if name == "ours":
            with bench.ours("fill", jobs=1) as side:
                side.end()
            began = time.monotonic_ns()
            with bench.ours("execute", environment, concurrency=100, in_loop=True) as side:
                (first,) = tally.marks(side, 1)
                memory = _memory(side)
        else:
            with bench.python(peer(name), "fill", environment) as side:
                side.end()
            with bench.python(peer(name), "work", environment) as side:
                # The first mark is made right before the script becomes the peer's own worker command.
                began, first = tally.marks(side, 2)
                memory = _memory(side)
    return {"import": imported, "first_job": (first - began) / 1e9, "memory": memory}


def _memory(side: Side) -> float:
    """Memory of all processes of a side in MiB, half a second later; what they share is counted once."""
    time.sleep(0.5)
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if int((process / "stat").read_text().rpartition(")")[2].split()[3]) == side.session:
                rollup = (process / "smaps_rollup").read_text()
                total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total / 1024

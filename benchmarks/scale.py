"""The command `python -m benchmarks.scale`: jobs a second over 1 to 8 shards, on as many cores as there are."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.cluster import Cluster
from benchmarks.processes import Side, SideFailed
from benchmarks.rounds import short
from benchmarks.tally import Tally

QUEUE = "scale:jobs"
SHARDS = (1, 2, 4, 8)
FEWEST_NODES = 3
JOBS = 100_000
"""Of each shard, as far as there are workers to run them."""

CONCURRENCY = 100
_PRODUCERS = 4


class Step(NamedTuple):
    """What was measured with one number of shards.

    Attributes:
        shards: how many.
        rate: jobs a second, all workers together.
        server_us: processor time per job, all nodes together.
        busiest: what the busiest node used of a core while jobs ran.
    """

    shards: int
    rate: float
    server_us: float
    busiest: float


def main() -> int:
    """Measure and print a table; return 2 when a step could not be measured."""
    options = _options()
    cores = os.cpu_count() or 1
    steps: list[Step] = []
    failed = False
    with Cluster(options.nodes) as cluster:
        for number in options.shards:
            try:
                steps.append(_measure(cluster, number, workers=options.workers, jobs=options.jobs))
            except SideFailed as error:
                failed = True
                print(f"{number} shards: not measured: {error}", file=sys.stderr, flush=True)
    _show(steps, f"{cores} cores, {options.nodes} primaries, {options.workers} worker processes")
    if cores < options.nodes + options.workers:
        print("fewer cores than processes: they share cores, and the rates say what these are worth together")
    return 2 if failed else 0


def _options() -> argparse.Namespace:
    cores = os.cpu_count() or 1
    nodes = max(FEWEST_NODES, cores // 2)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description="Fills one queue of 1 to 8 shards on a cluster of this machine, and lets workers empty it.",
    )
    parser.add_argument(
        "--nodes", type=int, default=nodes, help="primaries; defaults to half the cores, 3 at least"
    )
    parser.add_argument(
        "--workers", type=int, default=max(1, cores - nodes), help="worker processes; default to the other cores"
    )
    parser.add_argument("--shards", type=int, nargs="+", default=list(SHARDS), help="defaults to 1 2 4 8")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"of each shard; defaults to {JOBS:,}")
    return parser.parse_args()


def _measure(cluster: Cluster, shards: int, *, workers: int, jobs: int) -> Step:
    cluster.flush()
    arguments = {"url": cluster.url, "queue": QUEUE, "shards": shards, "concurrency": CONCURRENCY}
    number = jobs * min(shards, workers)
    print(f"{shards} shards: {number:,} jobs", file=sys.stderr, flush=True)
    with ExitStack() as ending:
        producers = [
            ending.enter_context(_start("fill", **arguments, jobs=part)) for part in _parts(number, _PRODUCERS)
        ]
        for producer in producers:
            producer.end()
    with ExitStack() as ending:
        tally = ending.enter_context(Tally())
        begin = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="stockyard-bench-"))) / "begin"
        sides: list[Side] = []
        for _ in range(workers):
            side = _start("share", tally.environment, **arguments, begin=str(begin))
            sides.append(ending.enter_context(side))
        for side in sides:
            side.answer()
        before = cluster.cpu_seconds()
        begin.touch()
        rate = tally.rate(sides[0], number, *sides[1:])
        used = [after - start for after, start in zip(cluster.cpu_seconds(), before, strict=True)]
    return Step(shards, rate, sum(used) / number * 1e6, max(used) / (number / rate))


def _start(side: str, environment: Mapping[str, str] | None = None, /, **arguments: Any) -> Side:
    command = [sys.executable, "-m", f"benchmarks.sides.{side}", json.dumps(arguments)]
    return Side(command, environment=environment, timeout=600)


def _parts(number: int, parts: int) -> list[int]:
    """Return numbers as equal as can be, which add up to a number."""
    return [number * (at + 1) // parts - number * at // parts for at in range(parts)]


def _show(steps: list[Step], title: str) -> None:
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    for heading in ("shards", "jobs/s", "of one shard", "server CPU per job, µs", "busiest node, of a core"):
        table.add_column(heading, justify="right")
    for step in steps:
        times = step.rate / steps[0].rate
        table.add_row(
            str(step.shards), short(step.rate), short(times), short(step.server_us), f"{step.busiest:.0%}"
        )
    console = Console()
    Console(width=max(console.width, 100)).print(table)


if __name__ == "__main__":
    sys.exit(main())

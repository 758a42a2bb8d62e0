"""A whole program for the PyPI port of BullMQ, against the same with its import changed."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.bench import Bench
from benchmarks.environments import BULLMQ_PROGRAM
from benchmarks.processes import Side
from benchmarks.table import Row

JOBS = 10_000
PARTS = {
    "add": "single adds, each awaited",
    "bulk": "bulk adds",
    "work": "work, its events read",
    "flow": "flows, each awaited",
    "schedule": "schedulers",
}


def port(bench: Bench) -> list[Row]:
    """The seconds and the processor time of the whole program, and the seconds of each part."""
    jobs = bench.jobs(JOBS)

    def turn(side: Side) -> Mapping[str, float]:
        before = bench.server.cpu_seconds()
        with side:
            took = side.answer()
            side.end()
        server = bench.server.cpu_seconds() - before
        return {**took, "server": server, "client": side.cpu_seconds}

    environment = {"BENCH_JOBS": str(jobs)}
    sides = {"ours": lambda: turn(bench.ours("program", jobs=jobs))}
    if bench.versus:
        sides["port"] = lambda: turn(bench.python(BULLMQ_PROGRAM, "run", environment))
    seen = bench.alternate(sides)

    def row(figure: str, what: str, *, required: str | None = None) -> Row:
        named = f"program of the PyPI port, {what}"
        if not bench.versus:
            return Row(named, "s", seen["ours"][figure])
        name = "bullmq for Python" if required else "(bullmq for Python)"
        return Row(named, "s", seen["ours"][figure], seen["port"][figure], name, required)

    return [
        row("whole", "whole", required="<= 0.1"),
        row("client", "CPU of its process and its children with their start"),
        row("server", "CPU of the server"),
        *(row(part, what) for part, what in PARTS.items()),
    ]

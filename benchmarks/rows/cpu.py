"""CPU-bound handlers in child processes: two against one."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.bench import Bench
from benchmarks.rounds import Turn
from benchmarks.table import Row

JOBS = 200


def cpu(bench: Bench) -> list[Row]:
    """The rate with two children and with one, and how far bare processes come with the same work."""
    jobs = 40 if bench.quick else JOBS

    def rate(side: str, processes: int) -> Turn:
        def measured() -> Mapping[str, float]:
            with bench.ours(side, jobs=jobs, processes=processes) as running:
                answer = running.answer()
                running.end()
            return {"rate": answer["rate"]}

        return measured

    turns = {
        f"{side} {processes}": rate(side, processes) for side in ("burn", "burn_bare") for processes in (1, 2)
    }
    seen = {side: figures["rate"] for side, figures in bench.alternate(turns).items()}
    what = "CPU-bound handlers in 2 child processes"
    return [
        Row(what, "jobs/s", seen["burn 2"], seen["burn 1"], "itself, 1 child process", ">= 1.8"),
        Row(
            "(the same work in 2 bare processes)",
            "jobs/s",
            seen["burn_bare 2"],
            seen["burn_bare 1"],
            "1 bare process",
        ),
    ]

"""What traces cost: one worker empties a queue under all watch, by the processor time of its process per job."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from benchmarks.bench import Bench
from benchmarks.rows.processing import CONCURRENCY, WHAT
from benchmarks.table import Row

JOBS = 50_000
SAMPLE = 0.01
"""Of the jobs, the share that a queue of tens of thousands a second can afford to trace."""
UNIT = "µs"


def traced(bench: Bench) -> list[Row]:
    """The same worker alone; with metrics, alerts, a reader of events and traces; and with every job traced."""
    jobs = bench.jobs(JOBS)

    def turn(*, watched: bool, sample: float | None) -> Mapping[str, float]:
        with bench.ours("fill", jobs=jobs, sample=sample) as filling:
            filling.end()
        with ExitStack() as ending:
            if watched:
                reading = ending.enter_context(bench.ours("follow"))
                reading.answer()
            arguments = {"jobs": jobs, "concurrency": CONCURRENCY, "observed": watched, "sample": sample}
            working = ending.enter_context(bench.ours("process", **arguments))
            if watched:
                working.answer()
            answer = working.answer()
        return {"us": answer["cpu_seconds"] / jobs * 1e6, "spans": answer["spans"]}

    seen = bench.alternate(
        {
            "alone": lambda: turn(watched=False, sample=None),
            "sampled": lambda: turn(watched=True, sample=SAMPLE),
            "all": lambda: turn(watched=False, sample=1),
        }
    )
    us = {side: figures["us"] for side, figures in seen.items()}
    sampled = f"{WHAT}, worker CPU per job; metrics, alerts, events read, 1 job in {round(1 / SAMPLE)} traced"
    return [
        # 0.85 of the rate is 1 / 0.85 of the processor time.
        Row(sampled, UNIT, us["sampled"], us["alone"], "itself, unwatched", "<= 1.176"),
        Row(f"{WHAT}, worker CPU per job; every job traced", UNIT, us["all"], us["alone"], "(itself, untraced)"),
    ]

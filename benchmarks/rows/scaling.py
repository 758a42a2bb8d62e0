"""Whether a full queue slows things down: a backlog of 1,000,000, and 200,000 prioritized jobs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from benchmarks.bench import Bench
from benchmarks.rounds import Turn
from benchmarks.table import Row

FEW, MANY = 10_000, 1_000_000
PRIORITIZED_FEW, PRIORITIZED_MANY = 1_000, 200_000
TAKES = 3


def backlog(bench: Bench) -> list[Row]:
    """The rate over 10,000 jobs with 1,000,000 waiting and with 10,000; a turn is the median of three takes."""
    few, many = bench.jobs(FEW), bench.jobs(MANY)

    def waiting(number: int) -> Turn:
        def rate() -> Mapping[str, float]:
            rates = []
            for _ in range(TAKES):
                # Filled up again to the full number before every take.
                with bench.ours("fill", jobs=number - bench.server.backlog()) as side:
                    side.end()
                with bench.ours("process", jobs=few, concurrency=100) as side:
                    rates.append(side.answer()["rate"])
                    side.end()
            return {"rate": statistics.median(rates)}

        return rate

    seen = bench.alternate({f"{number:,} waiting": waiting(number) for number in (many, few)})
    full, empty = (seen[f"{number:,} waiting"]["rate"] for number in (many, few))
    name = f"itself, {few:,} waiting"
    return [Row(f"process {few:,} with {many:,} waiting", "jobs/s", full, empty, name, ">= 0.9")]


def priority(bench: Bench) -> list[Row]:
    """Adding with priority, 200 at a time, to one queue that holds 200,000 and to ones that hold 1,000 each."""
    few, many = PRIORITIZED_FEW, bench.jobs(PRIORITIZED_MANY)
    # As many adds as each small queue holds would double it, so they are spread over several.
    queues = 2 if bench.quick else 20

    def onto(number: int, queues: int, jobs: int) -> Turn:
        def rate() -> Mapping[str, float]:
            arguments = {"jobs": jobs, "queues": queues, "held": number, "group": 200}
            with bench.ours("prioritize", **arguments) as side:
                answer = side.answer()
                side.end()
            return {"rate": answer["rate"]}

        return rate

    jobs = queues * few
    turns = {"many": onto(many, 1, jobs), "few": onto(few, queues, jobs)}
    seen = bench.alternate(turns)
    what, name = f"add with priority onto {many:,} prioritized", f"itself, onto {few:,}"
    return [Row(what, "jobs/s", seen["many"]["rate"], seen["few"]["rate"], name, ">= 0.8")]

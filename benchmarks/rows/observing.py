"""Emptying a queue of waiting jobs under watch: metrics are scraped, alerts evaluated, events read."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from benchmarks.bench import Bench
from benchmarks.rows.processing import CONCURRENCY, UNIT, WHAT
from benchmarks.table import Row

JOBS = 200_000
SCRAPE_SECONDS = 1.0


def observed(bench: Bench) -> list[Row]:
    """The same worker unwatched, scraped and watched each second, and with a reader of every event beside that."""
    jobs = bench.jobs(JOBS)

    def turn(*, watched: bool, followed: bool) -> Mapping[str, float]:
        with bench.ours("fill", jobs=jobs) as filling:
            filling.end()
        before = bench.server.cpu_seconds()
        with ExitStack() as ending:
            if followed:
                reading = ending.enter_context(bench.ours("follow"))
                reading.answer()
            arguments = {"jobs": jobs, "concurrency": CONCURRENCY, "observed": watched}
            working = ending.enter_context(bench.ours("process", **arguments))
            if watched:
                ending.enter_context(_scraped(working.answer()["metrics"]))
            worked = working.answer()
            figures: dict[str, float] = {"rate": worked["rate"], "worker_us": worked["cpu_seconds"] / jobs * 1e6}
            if followed:
                figures |= reading.answer()
        return figures | {"server_us": (bench.server.cpu_seconds() - before) / jobs * 1e6}

    seen = bench.alternate(
        {
            "alone": lambda: turn(watched=False, followed=False),
            "watched": lambda: turn(watched=True, followed=False),
            "followed": lambda: turn(watched=True, followed=True),
        }
    )
    rates = {side: figures["rate"] for side, figures in seen.items()}
    what = f"{WHAT}, metrics scraped, alerts watched"
    return [
        Row(what, UNIT, rates["watched"], rates["alone"], "itself, unwatched", ">= 0.85"),
        Row(f"{what}, every event read", UNIT, rates["followed"], rates["alone"], "itself, unwatched", ">= 0.85"),
    ]


@contextmanager
def _scraped(url: str) -> Iterator[None]:
    """Read the metrics each second, as Prometheus does at most."""
    over = threading.Event()

    def scrape() -> None:
        while not over.wait(SCRAPE_SECONDS):
            # The worker ends while it is still asked.
            with suppress(OSError), urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
                answer.read()

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

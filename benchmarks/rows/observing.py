"""Emptying a queue of waiting jobs under watch: metrics are scraped, alerts evaluated, events read."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from benchmarks.bench import Bench
from benchmarks.rows.processing import CONCURRENCY, JOBS, WHAT
from benchmarks.table import Row

SCRAPE_SECONDS = 1.0


def observed(bench: Bench) -> list[Row]:
    """One row: the same worker with and without a scrape and a look a second, and a reader of every event."""
    jobs = bench.jobs(JOBS)

    def turn(*, watched: bool) -> Mapping[str, float]:
        with bench.ours("fill", jobs=jobs) as filling:
            filling.end()
        with ExitStack() as ending:
            if watched:
                reading = ending.enter_context(bench.ours("follow", background=True))
                reading.answer()
            arguments = {"jobs": jobs, "concurrency": CONCURRENCY, "observed": watched}
            working = ending.enter_context(bench.ours("process", **arguments))
            if watched:
                ending.enter_context(_scraped(working.answer()["metrics"]))
            figures: dict[str, float] = {"rate": working.answer()["rate"]}
            if watched:
                figures |= reading.answer()
        return figures

    seen = bench.alternate({"observed": lambda: turn(watched=True), "alone": lambda: turn(watched=False)})
    what = f"{WHAT}, with metrics scraped, alerts watched and events read"
    return [Row(what, "jobs/s", seen["observed"]["rate"], seen["alone"]["rate"], "itself, unwatched", ">= 0.85")]


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

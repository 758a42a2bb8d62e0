"""Order by key over four worker processes, one of which is killed, with runs that fail at random.

`KEYS=200 JOBS=500` is the size that docs/adr speaks of.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from stockyard import App, Settings
from tests.faults.key_programs import desk
from tests.support.documents import ROOT
from tests.support.forked import Forked
from tests.support.key_history import disorder, steps_of
from tests.support.waiting import wait_until

KEYS = int(os.environ.get("KEYS", "20"))
JOBS = int(os.environ.get("JOBS", "40"))
SECONDS = 60 + KEYS * JOBS / 50


class KeyWorker:
    """One of the processes; what it writes down is in a file."""

    def __init__(self, url: str, prefix: str, log: Path) -> None:
        self._log = log
        with log.open("w") as file:
            self.process: Forked[bytes] = Forked(
                [sys.executable, "-m", "tests.faults.key_programs"],
                cwd=ROOT,
                env={**os.environ, "KEYS_TEST_URL": url, "KEYS_TEST_PREFIX": prefix},
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.DEVNULL,
            )

    def lines(self) -> list[str]:
        return self._log.read_text().splitlines(keepends=True)

    def stop(self) -> None:
        self.process.communicate(timeout=30)


@pytest.mark.long
def test_order_by_key_is_exact_though_runs_fail_and_a_worker_is_killed(
    redis_url: str, prefix: str, tmp_path: Path
) -> None:
    random.seed(7)
    app = App(desk(), settings=Settings.load(redis_url, prefix=prefix, dotenv=None))
    queue = app.queue("signals").sync
    # Any order of keys, and for each key that of its numbers.
    order = [f"K{key}" for key in range(KEYS) for _ in range(JOBS)]
    random.shuffle(order)
    numbers = dict.fromkeys(order, 0)
    jobs = []
    for key in order:
        jobs.append(("signal", [key, numbers[key]], {"key": key}))
        numbers[key] += 1
    workers = [KeyWorker(redis_url, prefix, tmp_path / f"w{number}") for number in range(4)]
    try:
        wait_until(lambda: len(queue.workers()) == len(workers), within=SECONDS, every=0.1)
        queue.add_many(jobs)
        wait_until(lambda: len(workers[0].lines()) > 20, within=SECONDS, every=0.05)
        workers[0].process.kill()
        wait_until(lambda: _ended(queue) == len(jobs), within=SECONDS, every=0.1)
    finally:
        for worker in workers:
            worker.stop()
        left = queue.keys.sync.list()
        app.close()
    steps = steps_of(line for worker in workers for line in worker.lines())
    # The killed worker ran up to ten jobs at a time.
    assert disorder(steps, JOBS, may_be_cut=10) == []
    assert len({(step.key, step.number) for step in steps}) == KEYS * JOBS
    assert left == []


def _ended(queue: object) -> int:
    return int(queue.count("completed", "failed"))  # type: ignore[attr-defined]

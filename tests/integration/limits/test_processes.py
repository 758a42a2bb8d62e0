"""Limits that several processes share, one of which is killed and one frozen."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from stockyard import App, Settings
from tests.integration.limits.programs import MOST, desk
from tests.support.documents import ROOT
from tests.support.forked import Forked
from tests.support.rolling import most_used
from tests.support.waiting import wait_until

WINDOW = 4_000_000
SECONDS = 20


class Caller:
    """One of the processes; what it was admitted is in a file."""

    def __init__(self, what: str, url: str, prefix: str, ahead_seconds: int, log: Path) -> None:
        self._log = log
        with log.open("w") as file:
            self.process: Forked[bytes] = Forked(
                [sys.executable, "-m", "tests.integration.limits.programs", what, str(ahead_seconds)],
                cwd=ROOT,
                env={**os.environ, "LIMITS_TEST_URL": url, "LIMITS_TEST_PREFIX": prefix},
                stdin=subprocess.PIPE,
                stdout=file,
            )

    def lines(self) -> list[list[str]]:
        """The words that it has written in each line; its last line may be cut."""
        return [line.split() for line in self._log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def admitted(self) -> list[tuple[int, int]]:
        """When the server admitted each of its calls, in us, and what they cost."""
        return [(int(at), int(cost)) for at, cost, *_ in self.lines()]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        self.process.communicate(timeout=30)


@pytest.mark.long
def test_a_rolling_window_is_never_exceeded_and_nearly_full(redis_url: str, prefix: str, tmp_path: Path) -> None:
    callers = [
        Caller("saturate", redis_url, prefix, ahead, tmp_path / str(number))
        for number, ahead in enumerate((0, 60, -60, 0))
    ]
    try:
        wait_until(lambda: all(caller.admitted() for caller in callers), within=60)
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > SECONDS / 4, within=60)
        callers[0].process.kill()
        callers[1].process.send_signal(signal.SIGSTOP)
        with redis.Redis.from_url(redis_url) as client:
            client.script_flush()
        wait_until(lambda: time.monotonic() - began > SECONDS / 2, within=60)
        callers[1].process.send_signal(signal.SIGCONT)
        wait_until(lambda: time.monotonic() - began > SECONDS, within=60)
    finally:
        for caller in callers:
            caller.stop()
    calls = sorted(call for caller in callers for call in caller.admitted())
    assert all(caller.admitted() for caller in callers)
    assert most_used(calls, WINDOW) <= MOST
    # Whole windows alone: the calls of one come in a burst, four seconds behind that of the last.
    begin = calls[0][0] + WINDOW
    windows = (calls[-1][0] - begin) // WINDOW
    inside = sum(cost for at, cost in calls if begin <= at < begin + windows * WINDOW)
    assert windows >= 3
    assert inside >= 0.98 * MOST * windows, f"{inside / (MOST * windows):.4f} used"


JOBS = 1000
ACCOUNTS = "ABCD"


@pytest.mark.long
def test_jobs_of_a_queue_keep_to_their_limits_though_a_worker_is_killed(
    redis_url: str, prefix: str, tmp_path: Path
) -> None:
    random.seed(12)
    numbers = range(JOBS // len(ACCOUNTS))
    jobs = [(account, number, random.randint(1, 20)) for number in numbers for account in ACCOUNTS]
    app = App(desk(), settings=Settings.load(redis_url, prefix=prefix, dotenv=None))
    queue = app.queue("orders").sync
    queue.add_many(
        [
            (
                "submit",
                {"account": account, "number": number, "cost": cost},
                {"cost": {"weight": cost, "orders": 1}, "scope": {"account": account}},
            )
            for account, number, cost in jobs
        ]
    )
    workers = [Caller("work", redis_url, prefix, ahead, tmp_path / f"w{ahead}") for ahead in (0, 60, -60)]
    try:
        wait_until(lambda: all(worker.lines() for worker in workers), within=60)
        workers[0].process.kill()
        wait_until(lambda: queue.count("completed") == len(jobs), within=200, every=0.1)
    finally:
        for worker in workers:
            worker.stop()
        app.close()
    lines = sorted(
        (int(at), int(cost), account, int(number))
        for worker in workers
        for at, cost, account, number in worker.lines()
    )
    assert most_used([(at, cost) for at, cost, *_ in lines], WINDOW) <= MOST
    for account in ACCOUNTS:
        starts = [(at, number) for at, _, of, number in lines if of == account]
        assert most_used([(at, 1) for at, _ in starts], 2_000_000) <= 60
        # What the killed worker had begun it may not have written down.
        assert len({number for _, number in starts}) >= len(numbers) - 20

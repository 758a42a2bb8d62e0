"""The command, in this process and as a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from stockyard.cli import main
from tests.support.forked import Forked
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
SHOP = "tests.integration.cli.shop:shop"


class Said(NamedTuple):
    """What the command answered."""

    status: int
    out: str
    err: str

    def json(self) -> object:
        return msgspec.json.decode(self.out)


Run = Callable[..., Said]


@pytest.fixture
def run(redis_url: str, prefix: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process, on this test's own keys."""

    def call(*arguments: str, app: str | None = SHOP, redis_url: str = redis_url) -> Said:
        where = [f"--redis-url={redis_url}", f"--prefix={prefix}", *([f"--app={app}"] if app else [])]
        status = main([*arguments, *where])
        return Said(status, *capsys.readouterr())

    return call


class Started:
    """A `stockyard worker` as a process of its own."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self._log = log
        with log.open("w") as file:
            self.process: Forked[bytes] = Forked(
                [sys.executable, "-m", "stockyard.cli", "worker", *arguments], cwd=ROOT, stderr=file
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_ready(self, workers: int = 1) -> None:
        wait_until(lambda: self._is_ready(workers), within=60)

    def children(self) -> list[int]:
        """Pids of its own children."""
        answer = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(pid) for pid in answer.stdout.split()]

    def _is_ready(self, workers: int) -> bool:
        assert self.process.poll() is None, self.log
        return len(re.findall("working on", self.log)) >= workers


Start = Callable[..., Started]


@pytest.fixture
def start(redis_url: str, prefix: str, tmp_path: Path) -> Iterator[Start]:
    """Starts workers on this test's own keys; what is left of them is ended with the test."""
    with ExitStack() as ending:

        def call(*arguments: str, redis_url: str = redis_url) -> Started:
            started = Started(
                [*arguments, f"--redis-url={redis_url}", f"--prefix={prefix}"], tmp_path / "worker.log"
            )
            ending.callback(_end, started)
            return started

        yield call


def _end(started: Started) -> None:
    for pid in started.children():
        with suppress(ProcessLookupError):
            os.kill(pid, 9)
    started.process.kill()
    started.process.wait()

"""Worker processes that a test may kill, freeze or ask to stop, and what they ran."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any, Self

from stockyard import App, Job, Topology
from stockyard.model.handler import Executor
from tests.support.forked import Forked
from tests.support.interpreter import hold_interpreter
from tests.support.plain_client import PlainClient

LOCK = "400ms"
LOCK_SECONDS = 0.4


def topology(**declaration: Any) -> Topology:
    """The queue of these tests; its leases are short."""
    topology = Topology("faults")
    lock = os.environ.get("FAULTS_LOCK", LOCK)
    topology.queue("q", **{"lock": lock, "max_stalled": 3, "remove_on_complete": False, **declaration})
    return topology


class Journal:
    """What all processes ran, in lists of the server beside the queue's keys."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._key = f"{prefix}-journal:"

    def note(self, kind: str, job_id: str) -> None:
        self._client.rpush(self._key + kind, job_id)

    def of(self, kind: str) -> list[str]:
        found: Any = self._client.lrange(self._key + kind, 0, -1)
        return [each.decode() if isinstance(each, bytes) else each for each in found]


def journal() -> Journal:
    """The journal as handlers write it."""
    return Journal(PlainClient(os.environ["FAULTS_URL"]), os.environ["FAULTS_PREFIX"])


def spin(seconds: float) -> None:
    """Compute, letting other threads run."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        hashlib.sha256(b"x" * 100).digest()


async def brief(job: Job[Any]) -> str:
    return job.id


async def noted(job: Job[Any]) -> str:
    journal().note("ran", job.id)
    return job.id


async def patient(job: Job[float]) -> None:
    journal().note("started", job.id)
    await asyncio.sleep(job.data)
    journal().note("ended", job.id)


async def deaf(job: Job[float]) -> None:
    """Go on when told to stop, if it is the job ``deaf``."""
    journal().note("started", job.id)
    until = time.monotonic() + job.data
    while (left := until - time.monotonic()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            if job.name != "deaf":
                raise
            journal().note("cancelled", job.id)
    journal().note("ended", job.id)


async def burn_async(job: Job[float]) -> None:
    journal().note("started", job.id)
    spin(job.data)
    journal().note("ended", job.id)


def burn_thread(job: Job[float]) -> None:
    journal().note("started", job.id)
    spin(job.data)
    journal().note("ended", job.id)


async def burn_c_async(job: Job[float]) -> None:
    journal().note("started", job.id)
    hold_interpreter(job.data)
    journal().note("ended", job.id)


def burn_c_thread(job: Job[float]) -> None:
    journal().note("started", job.id)
    hold_interpreter(job.data)
    journal().note("ended", job.id)


def burn_process(job: Job[float]) -> None:
    journal().note("started", job.id)
    hold_interpreter(job.data)
    journal().note("ended", job.id)


async def work(handler: str, concurrency: str, grace: str) -> None:
    """Run one worker until it is told to stop."""
    processor = globals()[handler]
    async with App(topology(), os.environ["FAULTS_URL"], prefix=os.environ["FAULTS_PREFIX"]) as app:
        executor: Executor | None = "process" if handler.endswith("process") else None
        worker = app.worker("q", processor, concurrency=int(concurrency), grace=grace, executor=executor)
        await worker.run(handle_signals=True)


class WorkerProcess:
    """A worker in a process of its own; it is killed at the end of its block.

    Args:
        url, prefix: of the server and its keys.
        handler: name of a function of this module.
        concurrency: jobs at a time. Defaults to 10.
        grace: of its stop. Defaults to 30 s.
        lock: lease of its jobs. Defaults to the short one.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        handler: str,
        *,
        concurrency: int = 10,
        grace: str = "30s",
        lock: str = LOCK,
    ) -> None:
        environment = {**os.environ, "FAULTS_URL": url, "FAULTS_PREFIX": prefix, "FAULTS_LOCK": lock}
        self._process: Forked[bytes] = Forked(
            [sys.executable, "-W", "error", "-m", "tests.faults.programs", handler, str(concurrency), grace],
            env=environment,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, within: float = 20) -> int:
        """Wait until it has ended; return its exit code."""
        return self._process.wait(within)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def children_of(pid: int) -> Iterable[int]:
    """The child processes of a process."""
    text = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(each) for each in text.stdout.split()]


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))

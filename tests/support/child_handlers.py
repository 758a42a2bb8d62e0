"""Handlers that the process executor's tests run in children, and what calls them."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from stockyard.consume.executors.process import ChildTask
from stockyard.errors import Requeue, UnrecoverableError
from stockyard.model.handler import reference
from stockyard.model.job import Job, JobProcessor, JobState, ResetAttempts
from stockyard.model.options import JobOptions
from stockyard.model.payload import encode_payload
from tests.support.waiting import eventually, wait_until

_BETWEEN_BITES = 0.001


class RecordingPort:
    """Keeps what a job reports, or refuses it with `refusal`."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self._refusal = refusal

    async def update_progress(self, job_id: str, value: Any) -> None:
        await self._record("progress", job_id, value)

    async def log(self, job_id: str, line: str) -> int:
        await self._record("log", job_id, line)
        return sum(kind == "log" for kind, *_ in self.calls)

    async def _record(self, kind: str, job_id: str, value: Any) -> None:
        if self._refusal is not None:
            raise self._refusal
        # A turn of the loop, so that a pool that does not wait for us would mix up the order.
        await asyncio.sleep(0)
        self.calls.append((kind, job_id, value))

    async def state(self, job_id: str) -> JobState:
        await self._record("state", job_id, None)
        return JobState.ACTIVE

    async def change_delay(self, job_id: str, delay: Any) -> int:
        await self._record("change_delay", job_id, delay)
        return 1500

    async def retry(self, job_id: str, *, state: str = "failed", reset_attempts: ResetAttempts = False) -> None:
        await self._record("retry", job_id, reset_attempts)

    async def is_held_by_children(self, job_id: str) -> bool:
        await self._record("is_held_by_children", job_id, None)
        return True

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the parent called port.{name}")


def task(handler: JobProcessor[Any], data: Any = None, *, job_id: str = "17") -> ChildTask:
    return ChildTask(
        handler=reference(handler),
        id=job_id,
        name="work",
        queue="backtest:jobs",
        data=encode_payload(data, what="payload"),
        options=JobOptions(attempts=3),
        timestamp=1_700_000_000_000,
        priority=5,
        attempts_made=1,
        attempts_started=2,
        stalled_count=1,
        progress=b"40",
    )


class Order(msgspec.Struct):
    symbol: str
    amount: int


class OutOfCash(Exception):
    """A handler's own exception."""


class Unpayable(UnrecoverableError):
    """A handler's own unrecoverable exception."""


def own_pid(job: Job[Any]) -> int:
    return os.getpid()


def describe(job: Job[Order]) -> dict[str, Any]:
    return {
        "data": f"{type(job.data).__name__} {job.data.symbol} {job.data.amount}",
        "job": [job.id, job.name, job.queue, job.priority, job.attempt, job.attempts_started, job.stalled_count],
        "timestamp": job.timestamp,
        "attempts": job.options.attempts,
        "progress": job.progress,
    }


async def describe_async(job: Job[Order]) -> dict[str, Any]:
    await asyncio.sleep(0)
    return describe(job)


def fail(job: Job[str]) -> None:
    raise OutOfCash(job.data)


def fail_for_good(job: Job[Any]) -> None:
    raise Unpayable("account is closed")


def fail_oddly(job: Job[Any]) -> None:
    raise ValueError("no such file: \udcff")


async def cancel_itself(job: Job[Any]) -> None:
    raise asyncio.CancelledError("enough")


def return_nonsense(job: Job[Any]) -> object:
    return object()


def echo(job: Job[str]) -> str:
    return job.data


def report(job: Job[Any]) -> list[Any]:
    before = job.sync.progress
    job.sync.update_progress(50)
    lines = [job.sync.log("half done"), job.sync.log("nearly")]
    job.sync.update_progress({"percent": 100})
    return [before, lines, job.progress]


async def report_async(job: Job[Any]) -> list[int]:
    await job.update_progress(50)
    return await asyncio.gather(*(job.log(f"line {number}") for number in range(20)))


def report_unprintable(job: Job[Any]) -> None:
    job.sync.update_progress(object())


async def ask_the_job(job: Job[Any]) -> list[Any]:
    await job.change_delay(timedelta(seconds=1.5))
    await job.retry(reset_attempts=True)
    state = await job.state()
    return [isinstance(state, JobState), state, job.delay_ms]


def ask_the_job_blocking(job: Job[Any]) -> str:
    return str(job.sync.state())


async def refresh(job: Job[Any]) -> None:
    await job.refresh()


async def move_to_delayed(job: Job[Any]) -> None:
    await job.move_to_delayed(timedelta(minutes=2))


def rate_limit(job: Job[Any]) -> None:
    job.sync.rate_limit("30s")


def wait_for_children(job: Job[Any]) -> None:
    job.sync.wait_for_children()


class StepAside(Requeue):
    """A handler's own signal."""


def raise_own_signal(job: Job[Any]) -> None:
    raise StepAside


async def block_in_loop(job: Job[Any]) -> None:
    job.sync.log("no")


_kept: list[Job[Any]] = []


def keep_job(job: Job[Any]) -> None:
    _kept.append(job)


def log_to_kept_job(job: Job[Any]) -> None:
    _kept[-1].sync.log("too late")


def exit_at_once(job: Job[int]) -> None:
    os._exit(job.data)


def exit_politely(job: Job[int]) -> None:
    sys.exit(job.data)


def report_and_exit(job: Job[Any]) -> None:
    job.sync.log("last words")
    os._exit(3)


def kill_itself(job: Job[Any]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def read_null(job: Job[Any]) -> None:
    ctypes.string_at(0)


def spin(job: Job[str]) -> None:
    """Announce the own pid in a file, then compute for ever."""
    announce(Path(job.data), os.getpid())
    while True:
        pass


def hold_interpreter(job: Job[str]) -> None:
    """Wait in C code that lets no other thread of the process run."""
    announce(Path(job.data), os.getpid())
    ctypes.PyDLL(None).pause()


def spin_with_program(job: Job[str]) -> None:
    """Announce the pid of a program that it waits for."""
    program = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    announce(Path(job.data), program.pid)
    program.wait()


def gorge(job: Job[str]) -> None:
    """Announce, take memory for ever, in small bites so that a look at it comes in time."""
    announce(Path(job.data), os.getpid())
    bites = []
    while True:
        bites.append(bytearray(b"x" * 1_000_000))
        time.sleep(_BETWEEN_BITES)


def meet(job: Job[list[str]]) -> bool:
    """Return once the other has come too, which needs both to run at once."""
    mine, other = map(Path, job.data)
    announce(mine, os.getpid())
    wait_until(other.exists, within=25)
    return True


def announce(place: Path, pid: int) -> None:
    """Write a pid to a file in one step."""
    draft = place.with_suffix(".draft")
    draft.write_text(str(pid))
    draft.replace(place)


async def announced(place: Path) -> int:
    """Wait for a pid that a handler writes."""
    await eventually(place.exists, within=25)
    return int(place.read_text())


def alive(pid: int) -> bool:
    """Whether a process still does anything; one that nobody has collected does not."""
    return stat(pid)[:1] not in ([], ["Z"])


def stat(pid: int | str) -> list[str]:
    """State, parent and so on of a process; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def note_job(job: Job[str]) -> None:
    """Write the job's id to a file, in one step."""
    with Path(job.data).open("a") as place:
        place.write(f"{job.id}\n")


def note_or_die(job: Job[str]) -> None:
    if job.name == "dies":
        kill_itself(job)
    note_job(job)


def meet_or_note(job: Job[Any]) -> bool:
    if job.name == "meet":
        return meet(job)
    note_job(job)
    return False

"""The keeper of leases, and the start of its child process."""

import asyncio
import logging
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stockyard.config import Settings
from stockyard.leases import keeper
from stockyard.leases.assignment import renewed_message
from stockyard.leases.keeper import LeaseKeeper
from stockyard.leases.table import Lease
from stockyard.model.naming import Naming
from tests.support.waiting import eventually


def ignore(_: Lease) -> None:
    """Take no notice of a lost lease."""


async def test_a_child_that_starts_slowly_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker on an overloaded machine begins late; it does not end."""
    monkeypatch.setattr(keeper, "_SLOW_START_SECONDS", 0.01)
    address = Settings.load("redis://127.0.0.1:1", environ={}).address
    leases = LeaseKeeper(address, naming=Naming("x"))
    with caplog.at_level(logging.WARNING):
        starting = asyncio.create_task(leases.start("w", 400, ignore))
        await eventually(lambda: len(caplog.records) >= 2)
        await asyncio.wait_for(starting, 60)
    assert "has not started within" in caplog.text
    assert "takes no jobs" in caplog.text
    leases.stop("w")


async def test_a_wait_for_the_child_can_be_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_SLOW_START_SECONDS", 0.01)
    monkeypatch.setattr(keeper, "READY", b"never said")
    leases = LeaseKeeper(Settings.load("redis://127.0.0.1:1", environ={}).address, naming=Naming("x"))
    starting = asyncio.create_task(leases.start("w", 400, ignore))
    await eventually(lambda: leases._child is not None)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    leases.stop("w")


async def test_a_stop_does_not_hold_up_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's other tasks run on while the child goes, even one that cannot end by itself."""
    leases = LeaseKeeper(Settings.load("redis://127.0.0.1:1", environ={}).address, naming=Naming("x"))
    await leases.start("w", 400, ignore)
    child = leases._child
    assert child is not None
    os.kill(child.pid, signal.SIGSTOP)
    # The signal does not stop it at once.
    await eventually(lambda: Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    limits: list[float | None] = []
    wait = subprocess.Popen.wait

    def watched(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        limits.append(timeout)
        return wait(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", watched)
    leases.stop("w")
    assert child.returncode == -signal.SIGKILL
    assert limits == [None], "a wait with a limit is a wait for something that may take long"


async def test_renewed_leases_are_said_to_the_workers_that_hold_them() -> None:
    leases = LeaseKeeper(Settings.load("redis://127.0.0.1:1", environ={}).address, naming=Naming("x"))
    renewed: list[tuple[str, list[str]]] = []

    def said_to(worker: str) -> Callable[[list[str]], None]:
        return lambda job_ids: renewed.append((worker, job_ids))

    for worker in ("a", "b"):
        await leases.start(worker, 30_000, ignore, said_to(worker))
    await leases.start("silent", 30_000, ignore)
    assert leases._table is not None
    assert leases._table.reports_renewals
    leases._say_renewed(renewed_message([("a:1", "1"), ("b:7", "2"), ("a:2", "3"), ("silent:1", "4")]))
    assert renewed == [("a", ["1", "3"]), ("b", ["2"])]
    for worker in ("a", "b", "silent"):
        leases.stop(worker)


async def test_a_child_that_nobody_asks_says_nothing_of_renewals() -> None:
    leases = LeaseKeeper(Settings.load("redis://127.0.0.1:1", environ={}).address, naming=Naming("x"))
    await leases.start("w", 30_000, ignore)
    assert leases._table is not None
    assert not leases._table.reports_renewals
    leases.stop("w")

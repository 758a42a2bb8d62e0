"""The keeper of leases, and the start of its child process."""

import asyncio
import logging

import pytest

from stockyard.config import Settings
from stockyard.leases import keeper
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

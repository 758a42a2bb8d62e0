"""Connections whose server lost its place are dropped: after a grace, and only while it is so."""

import asyncio
import logging
from typing import Any

import pytest

from stockyard._store.net import watch
from stockyard._store.net.watch import Watch
from stockyard.errors import ServerUnavailable
from tests.support.waiting import eventually


class FakeConnection:
    def __init__(self) -> None:
        self.is_open = True
        self.is_astray = False

    def drop(self) -> None:
        self.is_open = False


class FakeWatch(Watch):
    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.is_connected = True
        self.trouble = ""
        self.at_look: dict[int, Any] = {}

    async def _look(self) -> None:
        self.looks += 1
        self.at_look.get(self.looks, lambda: None)()
        if self.trouble:
            raise ServerUnavailable(self.trouble)

    async def _disconnect(self) -> None:
        self.is_connected = False


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_EVERY", 0.001)
    monkeypatch.setattr(watch, "_GRACE", 0.02)


def watched(*connections: FakeConnection) -> FakeWatch:
    made = FakeWatch()
    for connection in connections:
        made.add(connection)  # type: ignore[arg-type]
    return made


async def test_a_connection_that_leads_astray_is_dropped_and_no_other() -> None:
    one, other = FakeConnection(), FakeConnection()
    watching = watched(one, other)
    await eventually(lambda: watching.looks > 2)
    assert one.is_open
    one.is_astray = True
    await eventually(lambda: not one.is_open)
    assert other.is_open
    await watching.close()
    assert not watching.is_connected


async def test_a_connection_that_found_its_place_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_GRACE", 0.2)
    connection = FakeConnection()
    watching = watched(connection)
    watching.at_look[2] = lambda: setattr(connection, "is_astray", True)
    await eventually(lambda: connection.is_astray)
    connection.is_astray = False
    await eventually(lambda: watching.looks > 3)
    assert connection.is_open
    await watching.close()


async def test_looks_that_fail_are_logged_once_and_drop_nothing(caplog: pytest.LogCaptureFixture) -> None:
    connection = FakeConnection()
    connection.is_astray = True
    watching = watched(connection)
    watching.trouble = "nobody answers"
    with caplog.at_level(logging.WARNING, "stockyard"):
        await eventually(lambda: watching.looks > 6)
    assert connection.is_open
    assert [record.getMessage() for record in caplog.records] == [
        "a failover would not be noticed now: nobody answers"
    ]
    watching.trouble = ""
    await eventually(lambda: not connection.is_open)
    await watching.close()


async def test_it_ends_without_connections_and_begins_again_with_one() -> None:
    gone, come = FakeConnection(), FakeConnection()
    gone.drop()
    watching = watched(gone)
    await eventually(lambda: not watching.is_connected)
    looks = watching.looks
    watching.add(come)  # type: ignore[arg-type]
    await eventually(lambda: watching.looks > looks)
    await watching.close()
    await watching.close()
    assert not [task for task in asyncio.all_tasks() if "watch" in task.get_name()]

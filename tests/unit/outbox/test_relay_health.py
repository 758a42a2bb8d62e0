"""What a relay shows of itself, judged without a database."""

import asyncio
import time

import pytest

from stockyard import Topology
from stockyard.observe.metrics.outbox_figures import OutboxFigures
from stockyard.outbox.relay_health import RelayHealth, figures_of
from stockyard.outbox.status import OutboxStatus

EMPTY = OutboxStatus({}, None, 7, 0, (), None, None, None)
shop = Topology("shop")
shop.queue("orders")


def test_each_declared_queue_has_a_figure_and_so_has_any_other_that_jobs_wait_for() -> None:
    assert figures_of(EMPTY, ["orders"]) == OutboxFigures({"orders": 0}, 0, 0, 7, False, False)
    busy = OutboxStatus({"gone": 3}, 1500, 7, 2, (), "host:1", "the server is full", 1)
    assert figures_of(busy, ["orders"]) == OutboxFigures({"orders": 0, "gone": 3}, 1.5, 2, 7, True, True)


async def read() -> OutboxStatus:
    return EMPTY


async def test_the_figures_are_read_in_the_relays_loop() -> None:
    health = RelayHealth("t", shop, read)
    assert health.figures() is None
    health.start()
    assert await asyncio.to_thread(health.figures) == figures_of(EMPTY, ["orders"])


async def test_a_database_that_says_nothing_has_no_figures(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> OutboxStatus:
        raise ConnectionError("away")

    health = RelayHealth("t", shop, fail)
    health.start()
    assert await asyncio.to_thread(health.figures) is None
    assert "metrics of the outbox are missing: away" in caplog.text


async def test_a_relay_is_well_until_a_round_breaks_off_and_dead_when_none_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    health = RelayHealth("t", shop, read)
    health.start()
    assert health.health_check().ok
    health.note("away")
    assert (health.health_check().ok, health.health_check().detail, health.health_check().is_fatal) == (
        False,
        "away",
        False,
    )
    health.note("")
    assert health.health_check().ok
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    check = health.health_check()
    assert (check.ok, check.is_fatal) == (False, True)
    assert check.detail == "no round has ended for 61 s"

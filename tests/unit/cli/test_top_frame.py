"""Frames of `stockyard top`, drawn from what was seen."""

import dataclasses
import io
from typing import Any

from rich.console import Console

from stockyard import QueueHealth
from stockyard.cli.top_frame import Dashboard, Running, draw, last_minute, rates
from stockyard.monitoring import QueueMetrics, WorkerInfo
from stockyard.observe.alerts.incidents import Incident, Status

MINUTE = 60_000
HEALTH = QueueHealth(
    "fills", waiting=3, active=1, completed=90, failed=2, delayed=0, completed_total=600, failed_total=60
)
SIGHT = Dashboard(
    at=100_000,
    server="redis://desk",
    queues=[HEALTH],
    minutes={"fills": (120, 6)},
    workers=[WorkerInfo("w1", "fills"), WorkerInfo("w2", "fills"), WorkerInfo("w3", "fills")],
    running=[Running("fills", "17", "fill", 2, "w1", 42.0)],
    alerts=[Incident("failed", "fills", Status.FIRING, 1, 51, 50, "look", "fills: failed is 51")],
)


def drawn(dashboard: Dashboard, *, width: int = 200, **options: Any) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(draw(dashboard, None, 2, width=width, **options))
    return console.export_text()


def earlier(completed: int, failed: int) -> Dashboard:
    queues = [dataclasses.replace(HEALTH, completed_total=completed, failed_total=failed)]
    return dataclasses.replace(SIGHT, at=98_000, queues=queues)


def test_rates_are_since_the_frame_before() -> None:
    assert rates(HEALTH, SIGHT, earlier(580, 59)) == (10, 0.5)


def test_without_a_frame_before_they_are_of_the_last_full_minute() -> None:
    assert rates(HEALTH, SIGHT, None) == (2, 0.1)


def test_a_count_that_began_anew_is_no_rate_below_nothing() -> None:
    assert rates(HEALTH, SIGHT, earlier(9_000, 900)) == (0, 0)


def test_the_last_full_minute_is_found_whether_it_was_closed_or_not() -> None:
    metrics = QueueMetrics(count=30, prev_ts=7 * MINUTE + 5, prev_count=18, data=(11, 7))
    assert last_minute(metrics, 7 * MINUTE + 900) == 11
    assert last_minute(metrics, 8 * MINUTE + 900) == 12
    assert last_minute(metrics, 9 * MINUTE + 900) == 0
    assert last_minute(QueueMetrics(), 9 * MINUTE) == 0


def test_a_frame_shows_what_was_seen_and_says_what_it_leaves_out() -> None:
    shown = drawn(SIGHT)
    assert "redis://desk" in shown
    assert "ALERT  fills: failed is 51" in shown
    assert "and 1 more workers" in shown
    assert "completed" in shown
    assert ["fills", "17", "fill", "2", "42s", "w1"] in [line.split() for line in shown.splitlines()]
    assert "w3" not in shown


def test_a_frame_says_what_is_wrong() -> None:
    assert "trying again" in drawn(SIGHT, trouble="it is gone; trying again")
    assert "may not run CLIENT LIST" in drawn(dataclasses.replace(SIGHT, workers=None))


def test_a_frame_fits_a_terminal_of_eighty_columns() -> None:
    longest = dataclasses.replace(HEALTH, name="execution:order_submission", waiting=100_000)
    minutes = {"execution:order_submission": (120, 0)}
    shown = drawn(dataclasses.replace(SIGHT, queues=[longest], minutes=minutes), width=80)
    row = next(line.split() for line in shown.splitlines() if "order_submission" in line)
    assert row == ["execution:order_submission", "100,000", "1", "2", "2.0", "-", "-", "0"]

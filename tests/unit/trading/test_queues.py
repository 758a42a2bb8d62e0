"""The platform's numbers are those of its documentation."""

import pytest

from stockyard import Backoff, InvalidOption, Rate
from stockyard.effects import BYBIT
from stockyard.trading import PLATFORM, QueueName, QueuePriority, declare_platform

TABLE = [
    # name, concurrency, attempts, priority, lock in ms
    ("portfolio:high_priority", 20, 3, 5, 30_000),
    ("portfolio:low_priority", 5, 3, 15, 30_000),
    ("execution:order_submission", 5, 5, 0, 5_000),
    ("execution:reconciliation", 3, 3, 10, 5_000),
    ("strategy:signals", 10, 3, 0, 30_000),
    ("backtest:jobs", 2, 1, 0, 30_000),
    ("exchange:candle_ingestion", 10, 3, 0, 30_000),
]


@pytest.mark.parametrize(("name", "concurrency", "attempts", "priority", "lock_ms"), TABLE)
def test_each_queue_has_its_numbers(
    name: str, concurrency: int, attempts: int, priority: int, lock_ms: int
) -> None:
    spec = PLATFORM.spec(name)
    assert (spec.concurrency, spec.defaults.attempts, spec.defaults.priority) == (concurrency, attempts, priority)
    assert spec.lock_ms == lock_ms


def test_the_seven_names_are_the_topology() -> None:
    assert PLATFORM.names == tuple(QueueName) == tuple(row[0] for row in TABLE)


def test_retries_wait_one_two_four_seconds_and_backtests_have_none() -> None:
    backoffs = {spec.name: spec.defaults.backoff for spec in PLATFORM}
    assert backoffs.pop("backtest:jobs") is None
    assert set(backoffs.values()) == {Backoff("exponential", 1000)}


def test_backtests_run_in_child_processes() -> None:
    assert [spec.name for spec in PLATFORM if spec.executor == "process"] == ["backtest:jobs"]


def test_only_the_queue_that_people_wait_for_is_high_priority() -> None:
    assert [spec.name for spec in PLATFORM if spec.high_priority] == ["portfolio:high_priority"]


def test_only_orders_are_limited_and_by_the_rate_asked_for() -> None:
    assert {spec.name: spec.rate for spec in PLATFORM if spec.rate} == {
        "execution:order_submission": Rate(10, 1000)
    }
    assert declare_platform(order_rate="50/10s").spec("execution:order_submission").rate == Rate(50, 10_000)
    with pytest.raises(InvalidOption, match="rate must be jobs per time"):
        declare_platform(order_rate="fast")


def test_orders_are_submitted_at_most_once_unless_that_is_asked_for() -> None:
    assert [spec.name for spec in PLATFORM if spec.delivery == "at_most_once"] == ["execution:order_submission"]
    bybit = declare_platform(order_delivery="at_least_once", order_venue=BYBIT).spec("execution:order_submission")
    assert (bybit.delivery, bybit.venue) == ("at_least_once", BYBIT)


def test_priorities() -> None:
    assert [(each.name, int(each)) for each in QueuePriority] == [
        ("CRITICAL", 1),
        ("HIGH", 5),
        ("NORMAL", 10),
        ("LOW", 15),
    ]

"""The trading platform's seven queues as data."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from stockyard.model.backoff import Backoff
from stockyard.topology import Rate, Topology

ORDER_RATE = "10/s"
"""Order submissions per time: the 100 orders per 10 s and account that large exchanges allow, spread evenly."""

BACKOFF = Backoff.exponential("1s")
"""Wait between attempts: 1 s, 2 s, 4 s."""

EXECUTION_LOCK = "5s"
"""Lease of orders and reconciliation: a dead worker's job runs again within twice that."""


class QueueName(StrEnum):
    """The names of the seven queues; each is its own text."""

    PORTFOLIO_HIGH_PRIORITY = "portfolio:high_priority"
    PORTFOLIO_LOW_PRIORITY = "portfolio:low_priority"
    EXECUTION_ORDER_SUBMISSION = "execution:order_submission"
    EXECUTION_RECONCILIATION = "execution:reconciliation"
    STRATEGY_SIGNALS = "strategy:signals"
    BACKTEST_JOBS = "backtest:jobs"
    EXCHANGE_CANDLE_INGESTION = "exchange:candle_ingestion"


class QueuePriority(IntEnum):
    """The priorities of jobs; a smaller number runs first."""

    CRITICAL = 1
    """User-facing operations."""
    HIGH = 5
    """Fill processing, position updates."""
    NORMAL = 10
    """Background reconciliation."""
    LOW = 15
    """Price updates, snapshots."""


def declare_platform(*, order_rate: Rate | str | None = ORDER_RATE) -> Topology:
    """Return the seven queues; ``PLATFORM`` is what this returns without arguments.

    Args:
        order_rate: order submissions per time, over all workers; None for no limit. Defaults to ``"10/s"``,
            the 100 orders per 10 s and account that large exchanges allow, spread evenly.

    Raises:
        InvalidOption: the rate is none.
    """
    platform = Topology("trading")
    platform.queue(
        QueueName.PORTFOLIO_HIGH_PRIORITY,
        concurrency=20,
        attempts=3,
        backoff=BACKOFF,
        priority=QueuePriority.HIGH,
        high_priority=True,
        description="user queries, fill events",
    )
    platform.queue(
        QueueName.PORTFOLIO_LOW_PRIORITY,
        concurrency=5,
        attempts=3,
        backoff=BACKOFF,
        priority=QueuePriority.LOW,
        description="price updates, snapshots",
    )
    platform.queue(
        QueueName.EXECUTION_ORDER_SUBMISSION,
        concurrency=5,
        attempts=5,
        backoff=BACKOFF,
        rate=order_rate,
        lock=EXECUTION_LOCK,
        critical=True,
        description="order placement, limited by the exchange's rate",
    )
    platform.queue(
        QueueName.EXECUTION_RECONCILIATION,
        concurrency=3,
        attempts=3,
        backoff=BACKOFF,
        priority=QueuePriority.NORMAL,
        lock=EXECUTION_LOCK,
        critical=True,
        description="periodic exchange sync",
    )
    platform.queue(
        QueueName.STRATEGY_SIGNALS,
        concurrency=10,
        attempts=3,
        backoff=BACKOFF,
        description="signal generation",
    )
    platform.queue(
        QueueName.BACKTEST_JOBS,
        concurrency=2,
        attempts=1,
        executor="process",
        description="backtests, CPU-bound: in child processes, without a retry",
    )
    platform.queue(
        QueueName.EXCHANGE_CANDLE_INGESTION,
        concurrency=10,
        attempts=3,
        backoff=BACKOFF,
        description="candle data ingestion, network-bound",
    )
    return platform


PLATFORM = declare_platform()
"""The seven queues with their documented numbers."""

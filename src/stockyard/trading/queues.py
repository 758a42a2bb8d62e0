"""The trading platform's seven queues as data."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from stockyard.model.backoff import Backoff
from stockyard.model.venue import Delivery, UnknownHandler, Venue
from stockyard.topology import Rate, Topology

if TYPE_CHECKING:
    from stockyard.model.limits import Limits

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


def declare_platform(
    *,
    order_rate: Rate | str | None = ORDER_RATE,
    order_limits: Limits | None = None,
    order_delivery: Delivery = "at_most_once",
    order_venue: Venue | None = None,
    on_unknown_order: UnknownHandler | None = None,
) -> Topology:
    """Return the seven queues; ``PLATFORM`` is what this returns without arguments.

    Args:
        order_rate: order submissions per time, over all workers; None for no limit. Defaults to ``"10/s"``,
            the 100 orders per 10 s and account that large exchanges allow, spread evenly.
        order_limits: those of the exchange, of which each order names its use. Defaults to none. On a cluster they
            need a topology with ``slots="one"``.
        order_delivery: what happens to an order whose worker is lost before it began an effect. Defaults to
            ``"at_most_once"``: it is unknown, and is not run again.
        order_venue: where orders go, as ``stockyard.effects.BINANCE``. Defaults to one that promises nothing.
        on_unknown_order: asks the venue what became of an order. Defaults to nothing: streams and people settle.

    Raises:
        InvalidOption: the rate is none, or another argument is not what it should be.
    """
    platform = Topology("trading")
    platform.queue(
        QueueName.PORTFOLIO_HIGH_PRIORITY,
        concurrency=20,
        attempts=3,
        backoff=BACKOFF,
        priority=QueuePriority.HIGH,
        high_priority=True,
        lineage=True,
        description="user queries, fill events",
    )
    platform.queue(
        QueueName.PORTFOLIO_LOW_PRIORITY,
        concurrency=5,
        attempts=3,
        backoff=BACKOFF,
        priority=QueuePriority.LOW,
        coalesce="latest",
        description="price updates, of which the newest of a symbol counts; snapshots",
    )
    platform.queue(
        QueueName.EXECUTION_ORDER_SUBMISSION,
        concurrency=5,
        attempts=5,
        backoff=BACKOFF,
        rate=order_rate,
        limits=order_limits,
        delivery=order_delivery,
        venue=order_venue,
        on_unknown=on_unknown_order,
        # An order whose worker was lost is decided by its effect, and not by how often that happened.
        max_stalled=5,
        lock=EXECUTION_LOCK,
        critical=True,
        lineage=True,
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
        ordered=True,
        lineage=True,
        description="signal generation, in order for each symbol given as the key",
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

"""This package declares the trading platform as data: its seven queues, their priorities and alerts."""

from stockyard.trading.alerts import ALERT_RULES, alert_rules
from stockyard.trading.payloads import (
    EvaluateSignals,
    IngestCandles,
    Order,
    PortfolioQuery,
    PriceUpdate,
    RecalculatePosition,
    Reconcile,
    RunBacktest,
)
from stockyard.trading.platform import (
    create_worker,
    default_app,
    get_all_queues_health,
    get_queue,
    get_queue_health,
    use_app,
)
from stockyard.trading.queues import PLATFORM, QueueName, QueuePriority, declare_platform
from stockyard.trading.risk import Approval, RiskApprovals, order_hash

__all__ = [
    "ALERT_RULES",
    "Approval",
    "EvaluateSignals",
    "IngestCandles",
    "Order",
    "PLATFORM",
    "PortfolioQuery",
    "PriceUpdate",
    "QueueName",
    "QueuePriority",
    "RecalculatePosition",
    "Reconcile",
    "RiskApprovals",
    "RunBacktest",
    "alert_rules",
    "create_worker",
    "declare_platform",
    "default_app",
    "get_all_queues_health",
    "get_queue",
    "get_queue_health",
    "order_hash",
    "use_app",
]

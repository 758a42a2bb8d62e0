"""What the jobs of the seven queues carry."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

Side = Literal["buy", "sell"]


class RecalculatePosition(msgspec.Struct, frozen=True):
    """A fill changed a position (``portfolio:high_priority``)."""

    user_id: str
    symbol: str
    fill_id: str


class PortfolioQuery(msgspec.Struct, frozen=True):
    """A user asks for a portfolio (``portfolio:high_priority``, critical)."""

    user_id: str


class PriceUpdate(msgspec.Struct, frozen=True):
    """A symbol's price moved (``portfolio:low_priority``); of two, the one with the larger ``seq`` is newer."""

    symbol: str
    day: date
    price: float
    seq: int = 0


class Order(msgspec.Struct, frozen=True):
    """An order to place (``execution:order_submission``).

    ``client_order_id`` names it for the exchange: it is derived from what the order is for, so that the
    same order asked for twice is one order.
    """

    client_order_id: str
    symbol: str
    side: Side
    quantity: int
    price: float
    day: date


class Reconcile(msgspec.Struct, frozen=True):
    """Compare the exchange's book with the positions (``execution:reconciliation``); ``run`` counts from 1."""

    run: int


class EvaluateSignals(msgspec.Struct, frozen=True):
    """Look for signals in one chunk of a symbol's candles (``strategy:signals``)."""

    symbol: str
    chunk: int


class IngestCandles(msgspec.Struct, frozen=True):
    """Fetch one chunk of a symbol's candles (``exchange:candle_ingestion``); chunks count from 0."""

    symbol: str
    chunk: int


class RunBacktest(msgspec.Struct, frozen=True):
    """Trade a moving-average cross over the whole history of symbols (``backtest:jobs``)."""

    symbols: tuple[str, ...]
    fast: int
    slow: int

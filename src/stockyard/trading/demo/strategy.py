"""A moving-average cross: where it says buy and sell, and what its orders are called."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from stockyard.trading.demo.market import Candle
from stockyard.trading.payloads import Order, Side

FAST, SLOW = 10, 30
"""Days of the two averages that are traded."""

QUANTITY = 100
"""Shares of every order."""


class Cross(NamedTuple):
    """The fast average passed the slow one at the close of this candle: up is a buy, down a sell."""

    at: int
    side: Side


def crosses(closes: Sequence[float], fast: int, slow: int, *, first: int = 0) -> list[Cross]:
    """Return the crosses at ``closes[first:]``; a cross needs ``slow`` closes before it."""
    found = []
    for at in range(max(first, slow), len(closes)):
        before, now = (_is_above(closes, end, fast, slow) for end in (at, at + 1))
        if before != now:
            found.append(Cross(at, "buy" if now else "sell"))
    return found


def orders_at(candles: Sequence[Candle], *, first: int = 0) -> list[Order]:
    """Return the order of each cross at ``candles[first:]``, oldest first."""
    return [
        Order(
            client_order_id(candles[at].symbol, candles[at].day, side),
            candles[at].symbol,
            side,
            QUANTITY,
            candles[at].close,
            candles[at].day,
        )
        for at, side in crosses([candle.close for candle in candles], FAST, SLOW, first=first)
    ]


def client_order_id(symbol: str, day: date, side: Side) -> str:
    """Derive an order's id from what it is for: asked for twice, it is the same order."""
    named = f"cross-{FAST}-{SLOW}|{symbol}|{day.isoformat()}|{side}"
    return "order-" + hashlib.sha256(named.encode()).hexdigest()[:20]


def _is_above(closes: Sequence[float], end: int, fast: int, slow: int) -> bool:
    return sum(closes[end - fast : end]) / fast > sum(closes[end - slow : end]) / slow

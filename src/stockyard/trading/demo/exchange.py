"""The paper exchange: takes each order once, fills it, and keeps the book."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import NamedTuple

import msgspec

from stockyard.trading.demo.facts import Facts
from stockyard.trading.demo.market import TICKS
from stockyard.trading.payloads import Order

_SCHEMA = """
CREATE TABLE IF NOT EXISTS fills (
    fill_id TEXT PRIMARY KEY, client_order_id TEXT UNIQUE, symbol TEXT, quantity INTEGER, ticks INTEGER,
    duplicates INTEGER
) WITHOUT ROWID
"""
_FILLS = "SELECT fill_id, client_order_id, symbol, quantity, ticks FROM fills"


class Fill(NamedTuple):
    """An order that was filled.

    Attributes:
        fill_id: the exchange's name for it.
        client_order_id: the order.
        symbol: what was traded.
        quantity: shares, negative when sold.
        ticks: price of a share in ten-thousandths.
    """

    fill_id: str
    client_order_id: str
    symbol: str
    quantity: int
    ticks: int


class Ack(msgspec.Struct, frozen=True):
    """The exchange's answer to an order; ``is_first`` is False when it had the order already."""

    client_order_id: str
    fill_id: str
    is_first: bool


class PaperExchange:
    """An exchange in a file, as real ones are where it matters: a client order id names one order for ever.

    An order takes 5 to 20 ms on its way there, and as long on its way back: a worker that dies in between
    does not know whether it was taken. Buys are filled up to 5 basis points higher, sells lower; latency and
    slippage follow from the order's id, so that every replay is the same.

    Args:
        path: its file.
    """

    def __init__(self, path: Path) -> None:
        self._facts = Facts(path, _SCHEMA)

    async def place(self, order: Order) -> Ack:
        """Take an order; one that is known is answered as the first time, and counted."""
        chance = hashlib.sha256(order.client_order_id.encode()).digest()
        seconds = 0.005 + 0.015 * chance[0] / 255
        await asyncio.sleep(seconds)
        sign = 1 if order.side == "buy" else -1
        ticks = round(order.price * TICKS * (1 + sign * 0.0005 * chance[1] / 255))
        fill_id = f"fill-{chance.hex()[:20]}"
        with self._facts.transaction() as database:
            is_first = not database.execute(
                "UPDATE fills SET duplicates = duplicates + 1 WHERE client_order_id = ?", (order.client_order_id,)
            ).rowcount
            if is_first:
                database.execute(
                    "INSERT INTO fills VALUES (?, ?, ?, ?, ?, 0)",
                    (fill_id, order.client_order_id, order.symbol, sign * order.quantity, ticks),
                )
        await asyncio.sleep(seconds)
        return Ack(order.client_order_id, fill_id, is_first)

    def fill(self, fill_id: str) -> Fill:
        """Return a fill of the book."""
        ((*columns,),) = self._facts.rows(f"{_FILLS} WHERE fill_id = ?", fill_id)
        return Fill(*columns)

    def fills(self) -> list[Fill]:
        """Return the whole book."""
        return [Fill(*row) for row in self._facts.rows(_FILLS)]

    def counts(self) -> tuple[int, int]:
        """Return how many orders were taken, and how many attempts named one that was taken already."""
        ((orders, duplicates),) = self._facts.rows("SELECT count(*), coalesce(sum(duplicates), 0) FROM fills")
        return orders, duplicates

    def close(self) -> None:
        """Close the file."""
        self._facts.close()

"""The book of the paper exchange: fills each order it is given, twice if it is asked twice."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import msgspec

from stockyard.trading.demo.facts import Facts
from stockyard.trading.demo.market import TICKS
from stockyard.trading.payloads import Order

_SCHEMA = """
CREATE TABLE IF NOT EXISTS fills (
    fill_id TEXT PRIMARY KEY, client_order_id TEXT, symbol TEXT, quantity INTEGER, ticks INTEGER
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
    """The exchange's answer to an order."""

    client_order_id: str
    fill_id: str


class PaperExchange:
    """The exchange's book in a file.

    Its rule is that of many real ones: a client order id is refused while an order of that id is open. As every
    order here is filled at once, a second request is a second order. Buys are filled up to 5 basis points higher,
    sells lower, by the order's id, so that every replay is the same.

    Args:
        path: its file.
    """

    def __init__(self, path: Path) -> None:
        self._facts = Facts(path, _SCHEMA)

    def take(self, order: Order) -> Ack:
        """Fill an order."""
        chance = hashlib.sha256(order.client_order_id.encode()).digest()
        sign = 1 if order.side == "buy" else -1
        ticks = round(order.price * TICKS * (1 + sign * 0.0005 * chance[1] / 255))
        with self._facts.transaction() as database:
            ((number,),) = database.execute("SELECT count(*) FROM fills")
            fill_id = f"fill-{number + 1}"
            database.execute(
                "INSERT INTO fills VALUES (?, ?, ?, ?, ?)",
                (fill_id, order.client_order_id, order.symbol, sign * order.quantity, ticks),
            )
        return Ack(order.client_order_id, fill_id)

    def find(self, client_order_id: str) -> Ack | None:
        """Return an order of an id, or None."""
        for (fill_id,) in self._facts.rows("SELECT fill_id FROM fills WHERE client_order_id = ?", client_order_id):
            return Ack(client_order_id, fill_id)
        return None

    def fill(self, fill_id: str) -> Fill:
        """Return a fill of the book."""
        ((*columns,),) = self._facts.rows(f"{_FILLS} WHERE fill_id = ?", fill_id)
        return Fill(*columns)

    def fills(self) -> list[Fill]:
        """Return the whole book."""
        return [Fill(*row) for row in self._facts.rows(_FILLS)]

    def count(self) -> int:
        """Return how many orders were filled."""
        ((orders,),) = self._facts.rows("SELECT count(*) FROM fills")
        return int(orders)

    def close(self) -> None:
        """Close the file."""
        self._facts.close()

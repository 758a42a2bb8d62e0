"""What the trading desk knows: candles, prices, signals, positions, reconciliations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from stockyard.trading.demo.exchange import Fill
from stockyard.trading.demo.facts import Facts
from stockyard.trading.demo.market import TICKS, Candle
from stockyard.trading.demo.reconciliation import Holding, Reconciliation
from stockyard.trading.payloads import Order

_SCHEMA = """
CREATE TABLE IF NOT EXISTS candles (symbol TEXT, day TEXT, close REAL, PRIMARY KEY (symbol, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS prices (symbol TEXT PRIMARY KEY, day TEXT, ticks INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signals (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, client_order_id TEXT UNIQUE, symbol TEXT, day TEXT);
CREATE TABLE IF NOT EXISTS positions (symbol TEXT PRIMARY KEY, quantity INTEGER, cost INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS applied (fill_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reconciliations (run INTEGER PRIMARY KEY, in_flight INTEGER, mismatches INTEGER);
CREATE TABLE IF NOT EXISTS flags (name TEXT PRIMARY KEY) WITHOUT ROWID
"""


class Desk:
    """The desk's file; every method is one transaction, and harmless when it is repeated.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._facts = Facts(path, _SCHEMA)

    def store_candles(self, candles: Iterable[Candle]) -> None:
        """Keep candles; those that are kept already stay as they are."""
        with self._facts.transaction() as database:
            database.executemany(
                "INSERT OR IGNORE INTO candles VALUES (?, ?, ?)",
                [(candle.symbol, candle.day.isoformat(), candle.close) for candle in candles],
            )

    def candles(self, symbol: str, until: int, last: int) -> list[Candle]:
        """Return the last so many of a symbol's first ``until`` candles, oldest first."""
        first = max(until - last, 0)
        rows = self._facts.rows(
            "SELECT day, close FROM candles WHERE symbol = ? ORDER BY day LIMIT ? OFFSET ?",
            symbol,
            until - first,
            first,
        )
        return [Candle(symbol, date.fromisoformat(day), close) for day, close in rows]

    def candle_count(self) -> int:
        """Return how many candles are kept."""
        ((count,),) = self._facts.rows("SELECT count(*) FROM candles")
        return int(count)

    def update_price(self, symbol: str, day: date, price: float) -> None:
        """Keep a symbol's newest price; one that comes late changes nothing."""
        self._facts.write(
            "INSERT INTO prices VALUES (?, ?, ?) ON CONFLICT (symbol) DO UPDATE "
            "SET day = excluded.day, ticks = excluded.ticks WHERE excluded.day > prices.day",
            symbol,
            day.isoformat(),
            round(price * TICKS),
        )

    def prices(self) -> dict[str, tuple[date, int]]:
        """Return the newest day and price, in ten-thousandths, of each symbol."""
        rows = self._facts.rows("SELECT symbol, day, ticks FROM prices")
        return {symbol: (date.fromisoformat(day), ticks) for symbol, day, ticks in rows}

    def record_signals(self, orders: Sequence[Order]) -> None:
        """Note signals in the order they were seen."""
        with self._facts.transaction() as database:
            database.executemany(
                "INSERT OR IGNORE INTO signals (client_order_id, symbol, day) VALUES (?, ?, ?)",
                [(order.client_order_id, order.symbol, order.day.isoformat()) for order in orders],
            )

    def signals(self) -> list[tuple[str, str, str]]:
        """Return client order id, symbol and day of each signal, in the order they were seen."""
        return [
            (order, symbol, day)
            for order, symbol, day in self._facts.rows(
                "SELECT client_order_id, symbol, day FROM signals ORDER BY seq"
            )
        ]

    def apply_fill(self, fill: Fill) -> bool:
        """Move the position by a fill, once; return whether it was this time."""
        with self._facts.transaction() as database:
            if not database.execute("INSERT OR IGNORE INTO applied VALUES (?)", (fill.fill_id,)).rowcount:
                return False
            database.execute(
                "INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT (symbol) DO UPDATE "
                "SET quantity = quantity + excluded.quantity, cost = cost + excluded.cost",
                (fill.symbol, fill.quantity, fill.quantity * fill.ticks),
            )
        return True

    def positions(self) -> tuple[dict[str, Holding], frozenset[str]]:
        """Return the positions by symbol, and the fills that they are made of, as of one moment."""
        with self._facts.transaction() as database:
            positions = {
                symbol: Holding(quantity, cost)
                for symbol, quantity, cost in database.execute("SELECT symbol, quantity, cost FROM positions")
            }
            applied = frozenset(fill_id for (fill_id,) in database.execute("SELECT fill_id FROM applied"))
        return positions, applied

    def record_reconciliation(self, run: int, found: Reconciliation) -> None:
        """Note what a reconciliation found."""
        self._facts.write(
            "INSERT OR REPLACE INTO reconciliations VALUES (?, ?, ?)", run, found.in_flight, len(found.mismatches)
        )

    def reconciliations(self) -> tuple[int, int]:
        """Return how many reconciliations there were, and how many mismatches they found in all."""
        ((runs, mismatches),) = self._facts.rows(
            "SELECT count(*), coalesce(sum(mismatches), 0) FROM reconciliations"
        )
        return runs, mismatches

    def raise_flag(self, name: str) -> None:
        """Publish a fact to every process, once and for all."""
        self._facts.write("INSERT OR IGNORE INTO flags VALUES (?)", name)

    def has_flag(self, name: str) -> bool:
        """Return whether the flag was raised."""
        return bool(self._facts.rows("SELECT 1 FROM flags WHERE name = ?", name))

    def close(self) -> None:
        """Close the file."""
        self._facts.close()

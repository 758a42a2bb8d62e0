"""Compares the exchange's book with the positions; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from stockyard.trading.demo.exchange import Fill


class Holding(NamedTuple):
    """Shares held of a symbol, and what they cost in ten-thousandths; both negative when sold short."""

    quantity: int = 0
    cost: int = 0


class Reconciliation(msgspec.Struct, frozen=True):
    """What a comparison found.

    Attributes:
        in_flight: fills of the book that have not reached the positions.
        mismatches: symbols whose position is not the sum of the fills that it claims to be made of.
    """

    in_flight: int
    mismatches: tuple[str, ...]


def book_of(fills: Iterable[Fill]) -> dict[str, Holding]:
    """Return the holdings that fills add up to."""
    book: dict[str, Holding] = defaultdict(Holding)
    for fill in fills:
        held = book[fill.symbol]
        book[fill.symbol] = Holding(held.quantity + fill.quantity, held.cost + fill.quantity * fill.ticks)
    return dict(book)


def reconcile(fills: Iterable[Fill], positions: Mapping[str, Holding], applied: frozenset[str]) -> Reconciliation:
    """Compare positions, and the fills that they claim to be made of, with the exchange's fills."""
    known = {fill.fill_id: fill for fill in fills}
    expected = book_of(known[fill_id] for fill_id in applied if fill_id in known)
    invented = applied - known.keys()
    wrong = {
        symbol for symbol in expected.keys() | positions.keys() if expected.get(symbol) != positions.get(symbol)
    }
    return Reconciliation(len(known.keys() - applied), (*sorted(wrong), *sorted(invented)))

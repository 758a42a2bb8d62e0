"""The exchange fills what it is sent, the desk applies a fill once, and the reconciliation tells when not."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from stockyard.trading import Order
from stockyard.trading.demo.desk import Desk
from stockyard.trading.demo.exchange import Fill, PaperExchange
from stockyard.trading.demo.market import Candle
from stockyard.trading.demo.reconciliation import Holding, Reconciliation, book_of, reconcile

DAY = date(2010, 1, 4)
BOUGHT = Fill("f1", "o1", "IBM", 100, 20_000)
SOLD = Fill("f2", "o2", "IBM", -40, 30_000)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[PaperExchange]:
    exchange = PaperExchange(tmp_path / "exchange.db")
    yield exchange
    exchange.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "desk.db")
    yield desk
    desk.close()


def test_an_order_that_is_sent_twice_is_filled_twice(exchange: PaperExchange, tmp_path: Path) -> None:
    order = Order("o1", "IBM", "sell", 100, 50.0, DAY)
    first = exchange.take(order)
    (fill,) = exchange.fills()
    assert exchange.fill(first.fill_id) == fill
    assert (fill.client_order_id, fill.quantity) == ("o1", -100)
    assert 499_750 <= fill.ticks <= 500_000  # a sell slips down, by 5 basis points at most
    other = PaperExchange(tmp_path / "exchange.db")
    assert other.find("o1") == first
    assert other.find("o2") is None
    again = other.take(order)
    assert again.fill_id != first.fill_id
    assert exchange.count() == 2
    other.close()


def test_a_fill_moves_a_position_once(desk: Desk) -> None:
    assert desk.apply_fill(BOUGHT)
    assert desk.apply_fill(SOLD)
    assert not desk.apply_fill(BOUGHT)
    positions, applied = desk.positions()
    assert positions == {"IBM": Holding(60, 100 * 20_000 - 40 * 30_000)} == book_of([BOUGHT, SOLD])
    assert applied == {"f1", "f2"}


def test_a_late_price_changes_nothing(desk: Desk) -> None:
    desk.update_price("IBM", date(2010, 1, 5), 2.0)
    desk.update_price("IBM", DAY, 1.0)
    assert desk.prices() == {"IBM": (date(2010, 1, 5), 20_000)}


def test_candles_are_kept_once_and_read_in_order(desk: Desk) -> None:
    candles = [Candle("IBM", date(2010, 1, day), float(day)) for day in range(1, 11)]
    desk.store_candles(candles[5:])
    desk.store_candles(candles)
    assert desk.candle_count() == 10
    assert desk.candles("IBM", until=8, last=3) == candles[5:8]
    assert desk.candles("IBM", until=2, last=5) == candles[:2]


@pytest.mark.parametrize(
    ("positions", "applied", "found"),
    [
        ({"IBM": Holding(60, 800_000)}, {"f1", "f2"}, Reconciliation(0, ())),
        ({"IBM": Holding(100, 2_000_000)}, {"f1"}, Reconciliation(1, ())),
        ({}, set(), Reconciliation(2, ())),
        ({"IBM": Holding(160, 2_800_000)}, {"f1", "f2"}, Reconciliation(0, ("IBM",))),
        ({}, {"f1"}, Reconciliation(1, ("IBM",))),
        ({"IBM": Holding(60, 800_000)}, {"f1", "f2", "invented"}, Reconciliation(0, ("invented",))),
    ],
)
def test_reconciliation_allows_what_is_in_flight_and_nothing_else(
    positions: dict[str, Holding], applied: set[str], found: Reconciliation
) -> None:
    assert reconcile([BOUGHT, SOLD], positions, frozenset(applied)) == found

"""The cross is where the averages pass each other, whatever chunks the candles come in."""

from datetime import date

import pytest

from stockyard.trading.demo.market import SYMBOLS, Candle, chunk_of, history
from stockyard.trading.demo.strategy import FAST, SLOW, Cross, client_order_id, crosses, orders_at


def test_crosses_of_a_hill() -> None:
    # averages of 1 and 2 days: the fast one is above while prices rise
    assert crosses([3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0], 1, 2) == [Cross(3, "buy"), Cross(5, "sell")]


def test_no_cross_without_history() -> None:
    assert crosses([1.0, 2.0], 1, 2) == []
    assert crosses([], 1, 2) == []


@pytest.mark.parametrize("size", [1, 7, 100])
def test_chunks_find_what_one_pass_finds(size: int) -> None:
    candles = history("FB")
    found = []
    for number in range(-(-len(candles) // size)):
        chunk = chunk_of("FB", number, size)
        seen = candles[max(number * size - SLOW, 0) : number * size + len(chunk)]
        found += orders_at(seen, first=len(seen) - len(chunk))
    assert found == orders_at(candles)
    assert len(found) > 3


def test_an_order_is_named_by_what_it_is_for() -> None:
    day = date(2010, 1, 4)
    names = {
        client_order_id("IBM", day, "buy"),
        client_order_id("IBM", day, "sell"),
        client_order_id("AAPL", day, "buy"),
        client_order_id("IBM", date(2010, 1, 5), "buy"),
    }
    assert len(names) == 4
    assert client_order_id("IBM", day, "buy") in names


def test_orders_are_unique_over_all_symbols() -> None:
    orders = [order.client_order_id for symbol in SYMBOLS for order in orders_at(history(symbol))]
    assert len(set(orders)) == len(orders) > 400


def test_a_flat_price_gives_no_order() -> None:
    flat = [Candle("X", date(2000, 1, 1), 5.0)] * (FAST + SLOW)
    assert orders_at(flat) == []

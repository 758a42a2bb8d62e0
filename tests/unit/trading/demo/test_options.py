"""The demo refuses what it cannot replay, before anything is started."""

import pytest

from stockyard import InvalidOption
from stockyard.trading.demo import DemoOptions


def test_an_unknown_symbol_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        InvalidOption, match=r"unknown symbol 'TSLA'; the candles are those of AAPL, FB, GOOG, IBM, MSFT"
    ):
        DemoOptions(symbols=("IBM", "TSLA"))


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_must_be_positive(speed: float) -> None:
    with pytest.raises(InvalidOption, match="candles per second and symbol"):
        DemoOptions(speed=speed)


def test_no_symbol_means_all_and_each_is_replayed_once() -> None:
    assert DemoOptions().chosen == ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    assert DemoOptions(symbols=("IBM", "FB", "IBM")).chosen == ("IBM", "FB")


def test_a_replay_without_an_end_has_no_report() -> None:
    with pytest.raises(InvalidOption, match="has no report: leave json out"):
        DemoOptions(is_endless=True, json=True)

"""A backtest's figures on prices small enough to count by hand."""

import pytest

from stockyard.trading.demo.backtest import GRID, long_or_flat, sharpe


def test_a_position_earns_from_the_day_after_its_cross() -> None:
    returns, trades = long_or_flat([3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0], 1, 2)
    assert returns == pytest.approx([0, 0, 0, 0.5, -1 / 3, 0])
    assert trades == 2


def test_sharpe() -> None:
    assert sharpe([0.01, 0.03]) == pytest.approx(2 * 252**0.5)
    assert sharpe([0.0, 0.0]) == 0.0


def test_the_sweep_has_no_fast_average_that_is_slow() -> None:
    assert len(set(GRID)) == len(GRID) == 28
    assert all(fast < slow for fast, slow in GRID)

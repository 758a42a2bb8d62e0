"""One backtest: trades the cross over the whole history and measures the result; runs in a child process."""

from __future__ import annotations

import math
import os
import random
import signal
import statistics
from collections.abc import Sequence

import msgspec

from stockyard.model.job import Job
from stockyard.trading.demo.market import history
from stockyard.trading.demo.strategy import crosses
from stockyard.trading.payloads import RunBacktest

GRID = tuple((fast, slow) for fast in (5, 10, 15, 20, 30, 40) for slow in (30, 50, 80, 120, 200) if fast < slow)
"""The windows that are swept."""

_DAYS_OF_YEAR = 252
_RESAMPLES = 400


class SweepRun(RunBacktest, frozen=True):
    """A backtest of the sweep; ``dies_first`` lets its child process die at the first attempt."""

    dies_first: bool = False


class BacktestResult(msgspec.Struct, frozen=True):
    """What a backtest measured.

    Attributes:
        fast, slow: days of the averages.
        sharpe: yearly return over its deviation, averaged over the symbols, without interest and costs.
        error: standard error of that, by resampling days.
        growth: what 1 became, averaged over the symbols.
        drawdown: the deepest fall from a peak, of the worst symbol, 0 to 1.
        trades: crosses traded.
    """

    fast: int
    slow: int
    sharpe: float
    error: float
    growth: float
    drawdown: float
    trades: int


def run_backtest(job: Job[SweepRun]) -> BacktestResult:
    """Measure long when the fast average is above the slow one, flat otherwise, on every symbol asked for."""
    task = job.data
    if task.dies_first and job.attempts_started == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    rng = random.Random(f"{task.fast}-{task.slow}")
    measured = []
    for done, symbol in enumerate(task.symbols, start=1):
        returns, trades = long_or_flat([candle.close for candle in history(symbol)], task.fast, task.slow)
        measured.append((sharpe(returns), _error(returns, rng), *_growth(returns), trades))
        job.sync.update_progress({"symbols": done, "of": len(task.symbols)})
    sharpes, errors, growths, drawdowns, trades_of = zip(*measured, strict=True)
    return BacktestResult(
        task.fast,
        task.slow,
        sharpe=statistics.fmean(sharpes),
        error=math.sqrt(sum(error**2 for error in errors)) / len(errors),
        growth=statistics.fmean(growths),
        drawdown=max(drawdowns),
        trades=sum(trades_of),
    )


def long_or_flat(closes: Sequence[float], fast: int, slow: int) -> tuple[list[float], int]:
    """Return the daily returns of the rule, traded at the close of the cross, and how many crosses there were.

    A position begins with the first buy.
    """
    found = crosses(closes, fast, slow)
    sides = {cross.at: cross.side for cross in found}
    is_long, returns = False, []
    for at in range(1, len(closes)):
        returns.append(closes[at] / closes[at - 1] - 1 if is_long else 0.0)
        if at in sides:
            is_long = sides[at] == "buy"
    return returns, len(found)


def sharpe(returns: Sequence[float]) -> float:
    """Return the yearly Sharpe ratio of daily returns, 0 when they do not vary."""
    deviation = statistics.pstdev(returns)
    return statistics.fmean(returns) / deviation * math.sqrt(_DAYS_OF_YEAR) if deviation else 0.0


def _error(returns: Sequence[float], rng: random.Random) -> float:
    return statistics.pstdev([_quick_sharpe(rng.choices(returns, k=len(returns))) for _ in range(_RESAMPLES)])


def _quick_sharpe(returns: Sequence[float]) -> float:
    mean = sum(returns) / len(returns)
    variance = sum([each * each for each in returns]) / len(returns) - mean * mean
    return mean / math.sqrt(variance) * math.sqrt(_DAYS_OF_YEAR) if variance > 0 else 0.0


def _growth(returns: Sequence[float]) -> tuple[float, float]:
    value = peak = 1.0
    deepest = 0.0
    for each in returns:
        value *= 1 + each
        peak = max(peak, value)
        deepest = max(deepest, 1 - value / peak)
    return value, deepest

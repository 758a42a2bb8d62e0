"""The real daily candles, and the money they are counted in."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

import msgspec

SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
"""The symbols of the candles that come with the package."""

TICKS = 10_000
"""Money is counted in whole ten-thousandths, so that sums are the same in every order."""


class Candle(msgspec.Struct, frozen=True):
    """One trading day of one symbol; its close is adjusted for splits and dividends, so that days compare."""

    symbol: str
    day: date
    close: float


@cache
def history(symbol: str) -> tuple[Candle, ...]:
    """Return the whole history of a symbol, oldest first."""
    return _all_candles()[symbol]


def chunk_of(symbol: str, number: int, size: int, *, is_endless: bool = False) -> tuple[Candle, ...]:
    """Return one chunk of the history; chunks count from 0, and are empty past its end.

    Args:
        symbol: whose history.
        number: of the chunk.
        size: candles of a chunk.
        is_endless: whether the history begins again at its end, on later days, until the calendar ends.
    """
    candles, first = history(symbol), number * size
    if not is_endless:
        return candles[first : first + size]
    try:
        return tuple(_repeated(candles, at) for at in range(first, first + size))
    except OverflowError:  # the year 10000
        return ()


def _repeated(candles: tuple[Candle, ...], at: int) -> Candle:
    times, place = divmod(at, len(candles))
    later = (candles[-1].day - candles[0].day + timedelta(days=1)) * times
    return msgspec.structs.replace(candles[place], day=candles[place].day + later)


@cache
def _all_candles() -> dict[str, tuple[Candle, ...]]:
    packed = files("stockyard.trading").joinpath("data/daily-candles.csv.gz").read_bytes()
    found: dict[str, list[Candle]] = {symbol: [] for symbol in SYMBOLS}
    for row in csv.DictReader(io.StringIO(gzip.decompress(packed).decode())):
        found[row["Ticker"]].append(
            Candle(row["Ticker"], date.fromisoformat(row["Date"]), float(row["Adj Close"]))
        )
    return {symbol: tuple(candles) for symbol, candles in found.items()}

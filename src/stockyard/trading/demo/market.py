"""The real daily candles, and the money they are counted in."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import date
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


def chunk_of(symbol: str, number: int, size: int) -> tuple[Candle, ...]:
    """Return one chunk of the history; chunks count from 0, and are empty past its end."""
    return history(symbol)[number * size : (number + 1) * size]


@cache
def _all_candles() -> dict[str, tuple[Candle, ...]]:
    packed = files("stockyard.trading").joinpath("data/daily-candles.csv.gz").read_bytes()
    found: dict[str, list[Candle]] = {symbol: [] for symbol in SYMBOLS}
    for row in csv.DictReader(io.StringIO(gzip.decompress(packed).decode())):
        found[row["Ticker"]].append(
            Candle(row["Ticker"], date.fromisoformat(row["Date"]), float(row["Adj Close"]))
        )
    return {symbol: tuple(candles) for symbol, candles in found.items()}

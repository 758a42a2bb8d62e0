"""What may be asked of the demo."""

from __future__ import annotations

from dataclasses import dataclass

from stockyard.errors import InvalidOption
from stockyard.trading.demo.market import SYMBOLS


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What is replayed, how fast, and on which server.

    Attributes:
        speed: candles per second and symbol; None for as fast as possible. Defaults to None.
        symbols: which symbols; empty for all. Defaults to all.
        redis_url: the server. Defaults to ``REDIS_URL`` of the environment, else a private embedded server.
        inject_failures: let handlers fail, child processes die, and kill one worker process. Defaults to False.
        json: print the report as one JSON document on standard output, progress on standard error.
        seed: decides which runs fail. Defaults to 1.
        cluster: run on a private embedded cluster of so many primaries, each with a replica, and kill one primary
            in the middle. Defaults to 0: on one server.
        is_endless: begin again at the end of the candles, keep the newest jobs alone, and report nothing, until
            interrupted. Defaults to False.

    Raises:
        InvalidOption: the speed is not positive, the cluster's size is out of range, a symbol is not known (the
            message lists those that are), or a report is asked of a replay without an end.
    """

    speed: float | None = None
    symbols: tuple[str, ...] = ()
    redis_url: str | None = None
    inject_failures: bool = False
    json: bool = False
    seed: int = 1
    cluster: int = 0
    is_endless: bool = False

    def __post_init__(self) -> None:
        if self.speed is not None and not 0 < self.speed < float("inf"):
            raise InvalidOption(
                f"speed must be candles per second and symbol, more than 0, or left out for as fast as possible; "
                f"got {self.speed!r}"
            )
        if self.cluster and not 3 <= self.cluster <= 16:
            raise InvalidOption(f"a cluster has from 3 to 16 primaries here; got {self.cluster!r}")
        if self.cluster and self.redis_url is not None:
            raise InvalidOption("the demo starts its own cluster: give either cluster or a server")
        if self.is_endless and self.json:
            raise InvalidOption("a demo that goes on until it is stopped has no report: leave json out")
        unknown = [symbol for symbol in self.symbols if symbol not in SYMBOLS]
        if unknown:
            raise InvalidOption(f"unknown symbol {unknown[0]!r}; the candles are those of {', '.join(SYMBOLS)}")

    @property
    def chosen(self) -> tuple[str, ...]:
        """The symbols that are replayed, each once."""
        return tuple(dict.fromkeys(self.symbols)) or SYMBOLS

"""Where the time comes from: integer milliseconds since the epoch, as an argument everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Gives the present as integer milliseconds since the epoch."""


def system_clock() -> int:
    """Return the machine's wall clock in integer milliseconds."""
    return time.time_ns() // 1_000_000


class SteppedClock:
    """A clock that moves only by hand; that of ``stockyard.testing`` moves what waits as well.

    Args:
        now: the first reading, in milliseconds since the epoch. Defaults to the machine's time.
    """

    def __init__(self, now: int | None = None) -> None:
        self.now: int = system_clock() if now is None else now

    def __call__(self) -> int:
        return self.now

    def step(self, milliseconds: int) -> None:
        """Move the clock forward."""
        self.now += milliseconds

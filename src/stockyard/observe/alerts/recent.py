"""How much a counter of the server has grown of late. Pure: the clock is an argument."""

from __future__ import annotations

from collections import deque

WINDOW = 900.0
"""Seconds that count as of late."""


class RecentIncrease:
    """The growth of one counter over the last 15 minutes, as far as it was looked at; a reset begins from 0."""

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._grown: deque[tuple[float, int]] = deque()
        self._last: int | None = None

    def add(self, count: int | None, now: float) -> int:
        """Take the counter as it is now, None when the server hides it, and return the growth.

        Args:
            count: the counter.
            now: in seconds, by a clock that is never put back.
        """
        if count is not None:
            grown = count - self._last if self._last is not None and count >= self._last else 0
            if grown:
                self._grown.append((now, grown))
            self._last = count
        while self._grown and now - self._grown[0][0] > self._window:
            self._grown.popleft()
        return sum(each for _, each in self._grown)

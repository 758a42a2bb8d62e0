"""The time of the server: this machine's clock, less what it was measured to be off."""

from __future__ import annotations

import time
from collections.abc import Sequence

from stockyard.model.clock import Clock, SteppedClock

WARNING_MS = 500
"""From here on a clock counts as off, and its machine's owner should know."""

_STEP_MS = 500
_REMINDER_SECONDS = 600.0


class ServerClock:
    """Gives the server's time, in ms since the epoch; the clock of every process on that server.

    The clock is this machine's until the first measurement. A measurement changes what is known only if it rules
    that out: its own error is half of the round trip, so that clocks that agree stay exactly as they are.

    Args:
        clock: this machine's. A ``SteppedClock`` is taken at its word, and never corrected.

    Attributes:
        offset_ms: how far this machine's clock is ahead of the server's, as far as is known.
        is_known: whether that was measured; a clock that was set meanwhile is to be measured again.
        is_manual: whether the clock is moved by hand.
    """

    def __init__(self, clock: Clock) -> None:
        self.local = clock
        self.is_manual: bool = isinstance(clock, SteppedClock)
        self.offset_ms: int = 0
        self.is_known: bool = self.is_manual
        self._anchor: int | None = None
        self._warned_at: float | None = None
        self._warned_of = 0

    def __call__(self) -> int:
        return self.local() - self.offset_ms

    def note(self, before: int, after: int, reply: object) -> None:
        """Note what the server answered to ``TIME`` between two looks at this machine's clock.

        Args:
            before, after: times of this machine's clock.
            reply: seconds and microseconds; anything else is a refusal, and leaves the clock as it is.
        """
        if self.is_manual:
            return
        self.is_known = True
        self._anchor = self.local() - _monotonic_ms()
        if not isinstance(reply, Sequence) or isinstance(reply, str | bytes) or len(reply) != 2:
            return
        there = int(reply[0]) * 1000 + int(reply[1]) / 1000
        measured, error = (before + after) / 2 - there, (after - before) / 2 + 1
        if abs(measured - self.offset_ms) > error:
            self.offset_ms = round(measured)

    def check_for_step(self) -> None:
        """Forget what was measured when this machine's clock was set since."""
        if self._anchor is not None and abs(self.local() - _monotonic_ms() - self._anchor) > _STEP_MS:
            self.is_known = False

    def warning(self, server: str) -> str:
        """Return what its owner should know of this machine's clock, at most once in ten minutes; else nothing.

        Args:
            server: its address, as it is shown.
        """
        away, now = abs(self.offset_ms), time.monotonic()
        if away < WARNING_MS:
            self._warned_at = None
            return ""
        is_news = abs(self.offset_ms - self._warned_of) >= WARNING_MS
        if self._warned_at is not None and not is_news and now - self._warned_at < _REMINDER_SECONDS:
            return ""
        self._warned_at, self._warned_of = now, self.offset_ms
        where = "ahead of" if self.offset_ms > 0 else "behind"
        return (
            f"this machine's clock is {away / 1000:.1f} s {where} that of the server at {server}: Stockyard "
            "corrects its own times by that, but BullMQ's Node workers and producers on this machine do not, and "
            "the times in logs are off. Synchronise the clocks (chrony, systemd-timesyncd)"
        )


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000

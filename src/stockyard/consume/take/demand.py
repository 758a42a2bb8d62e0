"""What a worker knows of the jobs that wait for it, and how long it may wait for them; time is an argument."""

from __future__ import annotations

LONGEST_BLOCK = 10.0
"""Seconds: a connection that was cut without a word is noticed at the end of a wait, within 15 s as promised."""

LIMITED_BLOCK = 0.5
"""Seconds after which a limited worker looks without a marker: BullMQ clears a limit without setting one."""


class Demand:
    """What the last answers of the server mean for the next call.

    Args:
        drain_delay: seconds between two looks at a queue without a known next job.

    Attributes:
        has_plenty: the last call got as many jobs as it asked for.
    """

    __slots__ = ("_drain_delay", "_limited_until", "_next_due", "has_plenty")

    def __init__(self, *, drain_delay: float) -> None:
        self._drain_delay = drain_delay
        self.has_plenty: bool = False
        self._limited_until = 0.0
        self._next_due = 0

    def note(self, asked: int, got: int, *, limited_ms: int, next_due: int, now: float) -> bool:
        """Take note of an answer; return whether the queue has just become empty.

        Args:
            asked: for how many jobs the call had room.
            got: how many jobs it got.
            limited_ms: how long a rate limit lasts, or 0.
            next_due: when the next delayed job is due, ms since the epoch, or 0.
            now: seconds, by a clock that is never put back.
        """
        had_plenty, self.has_plenty = self.has_plenty, got == asked
        self._limited_until = now + limited_ms / 1000 if limited_ms else 0.0
        if got or limited_ms:
            return False
        self._next_due = next_due
        return had_plenty

    @property
    def is_limited(self) -> bool:
        """Whether the last answer reported a rate limit."""
        return self._limited_until > 0

    def limited_seconds(self, now: float) -> float:
        """Return how long a rate limit still lasts; 0 or less for no limit."""
        return self._limited_until - now if self._limited_until else 0.0

    def block_seconds(self, now: float, clock: int) -> float:
        """Return how long to wait for a job to be added.

        Args:
            now: seconds, by a clock that is never put back.
            clock: the time, ms since the epoch.
        """
        if self._limited_until:
            return min(max(self.limited_seconds(now), 0.001), LIMITED_BLOCK)
        if not self._next_due:
            return min(self._drain_delay, LONGEST_BLOCK)
        return min(max((self._next_due - clock) / 1000, 0.001), LONGEST_BLOCK)

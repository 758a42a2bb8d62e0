"""Which queues a relay leaves alone for a while, and why; no I/O, and the time is an argument."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import NamedTuple

FIRST, LONGEST = 0.5, 30.0
"""Seconds of the first pause of a queue, and of the longest."""


class _Pause(NamedTuple):
    until: float
    seconds: float
    reason: str


class QueuePauses:
    """Pauses of queues, each growing from one failure to the next until a job is relayed again."""

    def __init__(self) -> None:
        self._pauses: dict[str, _Pause] = {}

    def add(self, queue: str, reason: str, now: float, *, grows: bool = True) -> None:
        """Leave a queue alone for a while.

        Args:
            queue: its name.
            reason: why.
            now: the time in seconds.
            grows: twice as long as the last time. Defaults to True; False is for what passes by itself.
        """
        last = self._pauses.get(queue)
        seconds = min(last.seconds * 2, LONGEST) if grows and last is not None else FIRST
        self._pauses[queue] = _Pause(now + seconds, seconds, reason)

    def clear(self, queue: str) -> None:
        """A job was relayed to the queue."""
        self._pauses.pop(queue, None)

    def retain(self, queues: AbstractSet[str]) -> None:
        """Forget the pauses of all other queues, for which nothing waits any more."""
        self._pauses = {queue: pause for queue, pause in self._pauses.items() if queue in queues}

    def at(self, now: float) -> frozenset[str]:
        """Return the queues that are left alone now."""
        return frozenset(queue for queue, pause in self._pauses.items() if pause.until > now)

    def next_end(self, now: float) -> float | None:
        """Return in how many seconds the first of the pauses ends, or None."""
        left = [pause.until - now for pause in self._pauses.values() if pause.until > now]
        return min(left, default=None)

    @property
    def reason(self) -> str | None:
        """Why queues are left alone, or None."""
        return "; ".join(pause.reason for pause in self._pauses.values()) or None

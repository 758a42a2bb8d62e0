"""Hands back the jobs of dead workers where no worker is left to do it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from stockyard.observe.health import QueueHealth

SETTLED = 3.0
"""Seconds that a lease must have been gone: a live worker needs a moment to renew it at a server that is back."""


class Sweeper(Protocol):
    """Whoever looks once for jobs of dead workers and hands them back."""

    async def hand_back(self) -> list[str]: ...


class Rescuer:
    """Sweeps the queues whose longest run has no lease, as one more worker of theirs would.

    Args:
        sweepers: by name of the queue; they share the turns of the queue's workers.
    """

    def __init__(self, sweepers: Mapping[str, Sweeper]) -> None:
        self._sweepers = sweepers
        self._orphaned: dict[str, float] = {}

    async def look(self, seen: Iterable[QueueHealth], *, now: float) -> None:
        """Sweep where it is due.

        Args:
            seen: the queues as they are now.
            now: in seconds, by a clock that is never put back.
        """
        self._orphaned = {
            each.name: self._orphaned.get(each.name, now) for each in seen if not each.longest_active_held
        }
        for name, since in self._orphaned.items():
            if now - since >= SETTLED and name in self._sweepers:
                await self._sweepers[name].hand_back()

    def forget(self) -> None:
        """The server was away, or another looked meanwhile: begin anew."""
        self._orphaned.clear()

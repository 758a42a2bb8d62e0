"""What both sides of a queue with shards, reading and administration, know of these."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard.produce.queue import Queue


class OverShards:
    """A queue over others, its shards.

    Attributes:
        _declared: the shards that it adds to, in order.
    """

    _declared: tuple[Queue, ...]

    @abstractmethod
    async def _all(self) -> tuple[Queue, ...]:
        """Return all shards that may hold jobs, those that it adds to first."""

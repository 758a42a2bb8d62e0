"""A queue's event stream written by hand, and what a reader was told of it."""

import asyncio
from typing import Any

import redis

from stockyard.events import CustomEvent, QueueEvents


async def take(events: QueueEvents, count: int) -> list[Any]:
    """The next so many events."""
    async with asyncio.timeout(60):
        return [await anext(events) for _ in range(count)]


def told(events: list[Any]) -> list[Any]:
    """Names of custom events, and gaps."""
    return [event.name if isinstance(event, CustomEvent) else event for event in events]


class Stream:
    """The queue's stream, written to by hand."""

    def __init__(self, raw: "redis.Redis", prefix: str) -> None:
        self._raw: Any = raw
        self.key = f"{prefix}:q:events"

    def add(self, *names: str) -> list[str]:
        return [self._raw.xadd(self.key, {"event": name}) for name in names]

    def trim(self, length: int) -> None:
        self._raw.xtrim(self.key, maxlen=length, approximate=False)

    def readers(self) -> int:
        """How many wait at the server for entries of streams."""
        return sum(each["cmd"] == "xread" and "b" in each["flags"] for each in self._raw.client_list())

    def delete(self) -> None:
        self._raw.delete(self.key)

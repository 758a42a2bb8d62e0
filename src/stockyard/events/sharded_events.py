"""Reads the events of a queue with shards, those of each shard in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from stockyard._aio.portal import Portal
from stockyard._aio.reader import RetryingReader
from stockyard._aio.together import of_each
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.shard_map import ShardMap
from stockyard.events.queue_events import QueueEvents
from stockyard.model import checks
from stockyard.model.event import Event

_AHEAD = 1000
"""Events that are read before they are asked for, at most, and one more for each shard."""


class ShardedQueueEvents(QueueEvents):
    """The events of a queue with shards, as they come in; each shard has a stream, whose order is kept.

    Args:
        shard_map: its shards.
        make: makes a reader of one shard.
        portal: for callers without a loop.
    """

    def __init__(
        self, shard_map: ShardMap, *, make: Callable[[QueueKeyspace], QueueEvents], portal: Portal
    ) -> None:
        RetryingReader.__init__(self)
        self.queue: str = shard_map.declared[0].queue
        self._map = shard_map
        self._make = make
        self._readers: list[QueueEvents] = []
        self._portal = portal
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Condition()
        self._error: BaseException | None = None
        self._is_made = True

    async def earlier(self, count: int) -> list[Event]:
        """Return the events before the one that comes next, oldest first; see ``QueueEvents.earlier``."""
        checks.whole("count", count, least=1)
        await self.__aenter__()
        found = await of_each(self._readers, lambda reader: reader.earlier(count))
        events = sorted((event for each in found for event in each), key=lambda event: event.timestamp)
        return [event for event in events if event not in self._ready][-count:]

    async def aclose(self) -> None:
        """Disconnect and end the iteration; closing twice is fine."""
        self._is_closed = True
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for reader in self._readers:
            await reader.aclose()
        async with self._changed:
            self._changed.notify_all()

    async def __aenter__(self) -> Self:
        if self._loop is None:
            readers = list(map(self._make, await self._map.learn()))
            for reader in readers:
                await reader.__aenter__()
            self._readers = readers
            self._loop = asyncio.get_running_loop()
        return self

    async def __anext__(self) -> Event:
        await self.__aenter__()
        if not self._tasks and not self._is_closed:
            self._tasks = [
                asyncio.create_task(self._follow(reader), name=f"events of {self.queue}")
                for reader in self._readers
            ]
        async with self._changed:
            await self._changed.wait_for(lambda: self._ready or self._is_closed or self._error)
            if self._is_closed:
                raise StopAsyncIteration
            if not self._ready and self._error is not None:
                raise self._error
            self._changed.notify_all()
            return self._ready.popleft()

    async def _follow(self, reader: QueueEvents) -> None:
        try:
            async for event in reader:
                async with self._changed:
                    await self._changed.wait_for(lambda: len(self._ready) < _AHEAD)
                    self._ready.append(event)
                    self._changed.notify_all()
        except Exception as error:
            async with self._changed:
                self._error = error
                self._changed.notify_all()

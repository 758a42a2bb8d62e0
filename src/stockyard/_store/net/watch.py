"""Looks once a second whether connections still lead to the servers to ask: a frozen one keeps its open."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from weakref import WeakSet

from stockyard._aio.repeats import repeats
from stockyard._store.net.async_connection import AsyncConnection
from stockyard.errors import ServerError

_log = logging.getLogger(__name__)

_EVERY = 1.0
"""Seconds between two looks."""

_GRACE = 0.3
"""Seconds in which a server that hands over in order answers or refuses what it was asked."""

_LOOKS_WITHOUT_CONNECTION = 10
_FAILURES_BEFORE_WARNING = 3


class Watch(ABC):
    """One event loop's connections to a set of servers, each dropped when another server has its place.

    A caller that waits on a dropped connection gets the error of one that broke, and connects again. The watch
    runs while any of its connections is open.
    """

    def __init__(self) -> None:
        self._connections: WeakSet[AsyncConnection] = WeakSet()
        self._task: asyncio.Task[None] | None = None

    def add(self, connection: AsyncConnection) -> None:
        """Watch a connection, which is open now."""
        self._connections.add(connection)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="watch of the servers")

    async def close(self) -> None:
        """End; closing twice is fine, and a connection added later starts it again."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    @abstractmethod
    async def _look(self) -> None:
        """Ask which servers serve now.

        Raises:
            ServerError: nobody says so.
        """

    @abstractmethod
    async def _disconnect(self) -> None:
        """Close the connection of the looks."""

    def _astray(self) -> set[AsyncConnection]:
        return {each for each in self._connections if each.is_open and each.is_astray}

    async def _run(self) -> None:
        try:
            await self._drop_astray()
        finally:
            # Also where the program ends without closing: asyncio.run cancels what is left.
            await self._disconnect()

    async def _drop_astray(self) -> None:
        without, failures, trouble = 0, 0, ""
        while without < _LOOKS_WITHOUT_CONNECTION:
            await asyncio.sleep(_EVERY)
            without = 0 if any(each.is_open for each in self._connections) else without + 1
            try:
                await self._look()
            except ServerError as error:
                failures += 1
                if failures >= _FAILURES_BEFORE_WARNING:
                    trouble = str(error)
                    repeats.warn(_log, "a failover would not be noticed now", trouble)
                continue
            if trouble:
                repeats.over(trouble)
            failures, trouble = 0, ""
            if astray := self._astray():
                await asyncio.sleep(_GRACE)
                for connection in astray & self._astray():
                    connection.drop()

"""What readers of streams have in common: one loop, one item after another, and a server that is waited for."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from typing import Generic, Self, TypeVar

from stockyard._aio.retry_delay import RetryDelay
from stockyard.errors import ServerError

Item = TypeVar("Item")


class Reader(ABC):
    """Something that is entered with ``async with`` and read with ``async for``, in one loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that reads it, or None before the first read and after the end."""
        return None if self._is_closed else self._loop

    @abstractmethod
    async def aclose(self) -> None:
        """End the iteration; closing twice is fine."""

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self


class RetryingReader(Reader, Generic[Item]):
    """A reader that goes on when its server is back, one read at a time.

    Attributes:
        _ready: what has been read and not handed out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ready: deque[Item] = deque()
        self._turn = asyncio.Lock()
        self._retry_delay = RetryDelay()
        self._is_away = False

    async def _next(self) -> Item:
        """Return the next item, and wait for one and for the server; StopAsyncIteration after the end."""
        async with self._turn:
            while not self._is_closed:
                if not self._has_next():
                    await self._open()
                    try:
                        await self._read()
                    except ServerError as error:
                        await self._wait_out(error)
                        continue
                    self._retry_delay.reset()
                    self._is_away = False
                if self._ready and not self._is_closed:
                    return self._handed(self._ready.popleft())
            raise StopAsyncIteration

    def _has_next(self) -> bool:
        """Say whether an item can be handed out without a read."""
        return bool(self._ready)

    async def _open(self) -> None:
        """Enter, if nobody has."""
        await self.__aenter__()

    @abstractmethod
    async def _read(self) -> None:
        """Put what comes next to what is ready, or come back after a while without anything."""

    def _handed(self, item: Item) -> Item:
        """Note that an item is handed out."""
        return item

    @abstractmethod
    def _warn(self, error: ServerError) -> None:
        """Log that the server cannot be read."""

    async def _wait_out(self, error: ServerError) -> None:
        if self._is_closed:
            return
        if not self._is_away:
            self._warn(error)
        self._is_away = True
        await self._retry_delay.wait()

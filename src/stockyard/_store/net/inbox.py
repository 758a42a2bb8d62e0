"""What came on a connection of an event loop, until its one reader asks for it."""

from __future__ import annotations

import asyncio
import math
from typing import cast

_MOST_UNREAD = 131_072
"""Bytes that wait for a reader; the server has to wait with more."""


class Inbox(asyncio.Protocol):
    """The receiving end of a connection, for one reader.

    A ``StreamReader`` under ``asyncio.timeout`` would do the same for some microseconds more each time: here one
    timer is kept from wait to wait.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread: list[bytes] = []
        self._size = 0
        self._is_paused = False
        self._has_ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def is_at_end(self) -> bool:
        """Whether all was read that will ever come."""
        return self._has_ended and not self._unread

    async def next(self, seconds: float | None) -> bytes:
        """Return what came and was not read, nothing at the end; wait for it at most so many seconds.

        Raises:
            TimeoutError: nothing came in time.
            OSError: the connection broke.
        """
        if not (self._unread or self._has_ended):
            self._waiter = waiter = self._loop.create_future()
            if seconds is not None:
                self._wake_in(seconds)
            try:
                await waiter
            finally:
                self._waiter, self._due = None, math.inf
        if not self._unread:
            if self._error is not None:
                raise self._error
            return b""
        came = self._unread[0] if len(self._unread) == 1 else b"".join(self._unread)
        self._unread.clear()
        self._size = 0
        if self._is_paused:
            self._is_paused = False
            assert self._transport is not None
            self._transport.resume_reading()
        return came

    async def closed(self) -> None:
        """Wait until the transport has closed its socket."""
        await asyncio.shield(self._closed)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._unread.append(data)
        self._size += len(data)
        if self._size > _MOST_UNREAD and not self._is_paused:
            assert self._transport is not None
            self._transport.pause_reading()
            self._is_paused = True
        self._wake()

    def eof_received(self) -> None:
        self._has_ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended = True
        # The system's time-out ends the connection; that of a reader does not.
        self._error = ConnectionError(str(exc)) if isinstance(exc, TimeoutError) else exc
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._closed.done():
            self._closed.set_result(None)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _wake_in(self, seconds: float) -> None:
        self._due = due = self._loop.time() + seconds
        timer = self._timer
        if timer is None or timer.when() > due:
            if timer is not None:
                timer.cancel()
            self._timer = self._loop.call_at(due, self._look_at_time)

    def _look_at_time(self) -> None:
        self._timer = None
        if self._waiter is None or self._due == math.inf:
            return
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look_at_time)
        elif not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

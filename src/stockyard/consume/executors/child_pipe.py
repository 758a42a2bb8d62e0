"""The socket between the parent and one child: what a child had sent is read to its end, however it died."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Self


class ChildPipe(asyncio.Protocol):
    """A connected socket, used in the running loop.

    Not a stream of asyncio: that forgets what it has received when a write fails, or when the other side ends with
    unread bytes, as a child does that is killed while jobs wait in its pipe. Writes go out on a duplicate of the
    socket, so that one that fails does not close what is still to be read.

    Args:
        plain: the parent's end; ``open`` connects it to the loop.
    """

    def __init__(self, plain: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._writes = plain.dup()
        self._writes.setblocking(False)
        self._transport: asyncio.BaseTransport | None = None
        self._received = bytearray()
        self._unsent = bytearray()
        self._arrived = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._is_over = False
        self.is_closed: bool = False
        """Whether this side has closed it."""

    @classmethod
    async def open(cls, plain: socket.socket) -> Self:
        """Take a socket over."""
        pipe = cls(plain)
        pipe._transport, _ = await pipe._loop.create_unix_connection(lambda: pipe, sock=plain)
        return pipe

    @property
    def descriptor(self) -> int:
        """One of the socket's."""
        return self._writes.fileno()

    async def receive(self) -> bytes:
        """Return what the other side sent next; nothing when it has ended, or this side has closed."""
        await self._arrived.wait()
        received = bytes(self._received)
        self._received.clear()
        if not self._is_over:
            self._arrived.clear()
        return received

    def write(self, sent: bytes) -> None:
        """Send bytes; those to a side that has ended are dropped."""
        if self._is_over:
            return
        self._unsent += sent
        if len(self._unsent) == len(sent):
            self._write()

    async def drain(self) -> None:
        """Wait until all was sent, or nobody takes it any more."""
        await self._sent.wait()

    def close(self) -> None:
        """Close this side; closing twice is fine."""
        if self.is_closed:
            return
        self.is_closed = True
        if self._transport is not None:
            self._transport.close()
        self._end()
        self._writes.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._drop_unsent()
        self._arrived.set()

    def _write(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._writes.send(self._unsent)]
        except (BlockingIOError, InterruptedError):
            self._sent.clear()
            self._loop.add_writer(self._writes.fileno(), self._write)
            return
        except OSError:
            # Who reads finds out.
            pass
        self._drop_unsent()

    def _drop_unsent(self) -> None:
        self._unsent.clear()
        self._sent.set()
        if self._writes.fileno() >= 0:
            with contextlib.suppress(OSError, ValueError):
                self._loop.remove_writer(self._writes.fileno())

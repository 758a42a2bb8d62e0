"""A connection for callers without a loop: its coroutines wait in the calling thread, and never suspend."""

from __future__ import annotations

import contextlib
import math
import os
import select
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from stockyard._aio.blocking_refusals import cut_off
from stockyard._store.net.connection import LOST, Command, Connection
from stockyard._store.net.locator import Locator
from stockyard._store.net.turned_away import is_turned_away
from stockyard._store.net.unsent import Unsent, unsent
from stockyard.config import Address
from stockyard.errors import StockyardError

_CHUNK = 65_536
_LOOK = 0.000_1
"""Seconds in which a server on the same machine has answered a short call."""
_SLEEPS = 100
"""Calls that sleep at once behind a look in vain: at most a hundredth of the time is spent on looking."""


class BlockingConnection(Connection):
    """A ``Connection`` over a socket of its own, used by one thread at a time.

    What is sent, read, tried again and raised is what ``Connection`` does; only the waiting is another.

    Args:
        address, locator: those of ``Connection``.

    Attributes:
        is_alone: whether no other thread makes a call meanwhile, which would need the interpreter.
    """

    def __init__(self, address: Address, *, locator: Locator | None = None) -> None:
        super().__init__(address, locator=locator)
        self.is_alone: bool = False
        self._socket: socket.socket | None = None
        self._poll: select.poll | None = None
        self._until = math.inf
        self._send_seconds: float | None = None
        self._is_cut_off = False
        self._sleeps = 0

    def __del__(self) -> None:
        # Of an App that nobody closed.
        self.drop()

    @property
    def is_open(self) -> bool:
        return self._socket is not None and not self.is_misled

    def is_stale(self) -> bool:
        """Say whether the server has closed it, or spoke unasked, since its last call."""
        return self._poll is None or bool(self._poll.poll(0))

    def cut_off(self) -> None:
        """Let the thread that uses it raise BlockingCallRefused at once; for another thread."""
        self._is_cut_off = True
        if (plain := self._socket) is not None:
            # Not that of SSLSocket, which would take the TLS state from under the thread that reads.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(plain, socket.SHUT_RDWR)

    async def ask(
        self, commands: Sequence[Command], timeout: float | None, *, silence: float | None = None
    ) -> list[Any]:
        self._send_seconds = silence or timeout
        return await super().ask(commands, timeout, silence=silence)

    def write(self, commands: Sequence[Command]) -> None:
        try:
            super().write(commands)
        except LOST as error:
            self.drop()
            raise self._lost(error) from error
        except StockyardError:
            raise
        except BaseException:
            # As when Ctrl-C comes in the middle: the server may wait for the rest.
            self.drop()
            raise

    def sibling(self, address: Address) -> BlockingConnection:
        return BlockingConnection(address)

    def drop(self) -> None:
        plain, self._socket, self._poll = self._socket, None, None
        if plain is not None:
            plain.close()

    async def close(self) -> None:
        self.drop()

    async def pause(self, seconds: float) -> None:
        if self._is_cut_off:
            raise cut_off()
        time.sleep(seconds)  # noqa: ASYNC251

    async def _connect(self) -> None:
        plain = self._socket = self._endpoint.connect(self._left())
        self._poll = select.poll()
        self._poll.register(plain, select.POLLIN)
        if self._is_cut_off:
            raise cut_off()

    def _within(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return self._bounded(seconds)

    @asynccontextmanager
    async def _bounded(self, seconds: float) -> AsyncIterator[None]:
        self._until, self._send_seconds = time.monotonic() + seconds, None
        try:
            yield
        finally:
            self._until = math.inf

    def _left(self, seconds: float | None = None) -> float:
        """Return how long to wait, at most so long; raise TimeoutError when the time is over."""
        left = min(math.inf if seconds is None else seconds, self._until - time.monotonic())
        if left <= 0:
            raise TimeoutError
        return left

    def _send(self, packed: list[bytes]) -> None:
        rest = memoryview(packed[0] if len(packed) == 1 else b"".join(packed))
        while rest:
            # By pieces: what goes out prolongs the time, which sendall would count for the whole.
            rest = rest[self._ready(self._send_seconds).send(rest) :]

    async def _some(self, seconds: float | None) -> bytes:
        try:
            plain = self._ready(seconds)
            if self.is_alone:
                self._look_soon()
            return plain.recv(_CHUNK)
        except TimeoutError:
            raise TimeoutError from None

    def _look_soon(self) -> None:
        """Look for the reply for some microseconds, before the thread sleeps.

        A server on the same machine answers about when the thread has fallen asleep, and to wake it up takes as
        long again. Behind a look in vain, the next calls sleep at once: the server is far away, or the call long.
        """
        if self._sleeps:
            self._sleeps -= 1
            return
        poll, until = self._poll, time.monotonic() + _LOOK
        assert poll is not None
        while not poll.poll(0):
            if time.monotonic() > until:
                self._sleeps = _SLEEPS
                return
            # Where there is one processor, it is the server's turn.
            os.sched_yield()

    def _ready(self, seconds: float | None) -> socket.socket:
        """Return the socket, which waits for so many seconds."""
        plain = self._socket
        if plain is None:
            raise ConnectionError("not connected")
        left = self._left(seconds)
        plain.settimeout(None if math.isinf(left) else left)
        return plain

    def _unsent(self) -> Unsent | None:
        return unsent(self._socket)

    async def _is_turned_away(self) -> bool:
        return is_turned_away(self._endpoint.address)

    def _lost(self, error: BaseException) -> Exception:
        return cut_off() if self._is_cut_off else super()._lost(error)

"""The connections of callers without a loop: shared by the threads of a process, one call at a time on each."""

from __future__ import annotations

import contextlib
import math
import os
import queue
import time
from collections.abc import Callable

from stockyard._aio.blocking_refusals import closed_before
from stockyard._store.net.blocking_connection import BlockingConnection
from stockyard._store.net.connection import Connection
from stockyard._store.net.locator import Locator
from stockyard._store.net.pool import MAX_CONNECTIONS, Pool
from stockyard.config import Address
from stockyard.errors import ServerUnavailable


class BlockingPool(Pool):
    """The connections that no thread uses now, and how many more there may be.

    A thread has one for the time of its call, so that threads that ended leave nothing behind.

    Args:
        address: where the server is.
        locator: that of ``Connection``.
        connect_timeout: seconds in which a connection must be open. Defaults to those of the call.
    """

    def __init__(
        self, address: Address, *, locator: Locator | None = None, connect_timeout: float = math.inf
    ) -> None:
        self._address = address
        self._locator = locator
        self._connect_timeout = connect_timeout
        self._idle: list[BlockingConnection] = []
        self._used: set[BlockingConnection] = set()
        # No semaphore, whose lock a signal handler that makes a call may find held by the call it interrupts.
        self._places: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(MAX_CONNECTIONS):
            self._places.put(None)
        self._answered = 0
        self._is_closed = False

    async def take(self, limit: float) -> tuple[BlockingConnection, float]:
        """Return an open connection, the caller's until given back, and when its call is to be answered.

        Args:
            limit: seconds that the call may take.

        Raises:
            ServerUnavailable: none was free, or none could be opened, in that time.
            BlockingCallRefused: the pool was closed.
        """
        if self._locator is not None and self._idle:
            await self._locator.refresh(BlockingConnection)
        deadline = time.monotonic() + limit
        try:
            self._places.get(block=False)
        except queue.Empty:
            self._wait(limit)
            # Those before us were answered: the server is there, and our own time begins now.
            deadline = max(deadline, time.monotonic() + limit / 2)
        connection = self._idle_one() or BlockingConnection(self._address, locator=self._locator)
        connection.is_alone = not self._used
        self._used.add(connection)
        try:
            # Who closes the pool sees the connection among those in use, or we see that it is closed.
            self._check_open()
            if not connection.is_open:
                await connection.open_until(min(deadline, time.monotonic() + self._connect_timeout))
                self._check_open()
        except BaseException:
            self.give_back(connection)
            raise
        return connection, deadline

    def give_back(self, connection: Connection) -> None:
        """Let the next caller have a connection."""
        assert isinstance(connection, BlockingConnection)
        self._used.discard(connection)
        if connection.is_open and not self._is_closed:
            self._answered += 1
            self._idle.append(connection)
            if self._is_closed:
                self.drop_idle()
        else:
            connection.drop()
        self._places.put(None)

    def drop_idle(self) -> None:
        """Close the connections that nobody uses: they lead to a server that is not the one to ask."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().drop()

    def close(self) -> None:
        """Close every connection; calls under way raise BlockingCallRefused."""
        self._is_closed = True
        self.drop_idle()
        for connection in list(self._used):
            connection.cut_off()

    def abandon(self) -> None:
        """Close what a forked child has of the parent's sockets, which stay open there."""
        for connection in [*self._idle, *self._used]:
            connection.drop()

    def _idle_one(self) -> BlockingConnection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if not connection.is_astray and not connection.is_stale():
                return connection
            connection.drop()

    def _check_open(self) -> None:
        if self._is_closed:
            raise closed_before()

    def _wait(self, limit: float) -> None:
        while True:
            answered = self._answered
            try:
                return self._places.get(timeout=limit)
            except queue.Empty:
                pass
            # Where those before us are answered, their replies are large, or their link is slow.
            if self._answered == answered:
                raise ServerUnavailable(
                    f"all {MAX_CONNECTIONS} connections to {self._address} were busy until the call's timeout"
                )


class BlockingPools:
    """The pool of each process: a forked child makes one of its own.

    Args:
        make: makes one.
    """

    def __init__(self, make: Callable[[], BlockingPool]) -> None:
        self._make = make
        self._pools: dict[int, BlockingPool] = {}

    def get(self) -> BlockingPool:
        """Return this process's pool, made now if there is none."""
        own = os.getpid()
        pool = self._pools.get(own)
        if pool is None:
            # No lock, which a fork may find locked for ever; setdefault is one step.
            pool = self._pools.setdefault(own, self._make())
            for parent in [process for process in list(self._pools) if process != own]:
                self._pools.pop(parent).abandon()
        return pool

    def close(self) -> None:
        """Close this process's pool; a later call makes another."""
        pool = self._pools.pop(os.getpid(), None)
        if pool is not None:
            pool.close()

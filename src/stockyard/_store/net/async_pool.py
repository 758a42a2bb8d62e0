"""One event loop's connections to a server: shared by its callers, one call after another on each."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from weakref import WeakSet

from stockyard._store.net.async_connection import AsyncConnection
from stockyard._store.net.connection import Connection
from stockyard._store.net.locator import Locator
from stockyard._store.net.pool import MAX_CONNECTIONS, Pool
from stockyard.config import Address
from stockyard.errors import ServerUnavailable


class AsyncPool(Pool):
    """The connections that nobody uses now, and how many more there may be.

    Args:
        address: where the server is.
        locator: that of ``Connection``.
        connect_timeout: seconds in which a connection must be open. Defaults to those of the call.
        on_open: called with each connection that is open now. Defaults to nothing.

    Attributes:
        dedicated: connections of one user alone, closed with the others.
        former: those of a pool that was closed; their users may have opened them again.
        measuring: the measurement of the server's clock that callers wait for, if one is under way.
    """

    def __init__(
        self,
        address: Address,
        *,
        locator: Locator | None = None,
        connect_timeout: float = math.inf,
        on_open: Callable[[AsyncConnection], None] | None = None,
    ) -> None:
        self._address = address
        self._locator = locator
        self._connect_timeout = connect_timeout
        self._on_open = on_open
        self._idle: list[AsyncConnection] = []
        self._places = asyncio.Semaphore(MAX_CONNECTIONS)
        self._answered = 0
        self._is_closed = False
        self.dedicated: list[Connection] = []
        self.former: WeakSet[Connection] = WeakSet()
        self.measuring: asyncio.Task[None] | None = None

    async def take(self, limit: float) -> tuple[AsyncConnection, float]:
        """Return an open connection, the caller's until given back, and when its call is to be answered.

        Args:
            limit: seconds that the call may take.

        Raises:
            ServerUnavailable: none was free, or none could be opened, in that time.
        """
        deadline = time.monotonic() + limit
        if self._places.locked():
            await self._wait(limit)
            # Those before us were answered: the server is there, and our own time begins now.
            deadline = max(deadline, time.monotonic() + limit / 2)
        else:
            await self._places.acquire()
        connection = self._idle.pop() if self._idle else AsyncConnection(self._address, locator=self._locator)
        if not connection.is_open or connection.is_astray:
            try:
                await connection.open_until(min(deadline, time.monotonic() + self._connect_timeout))
            except BaseException:
                self.give_back(connection)
                raise
            if self._on_open is not None:
                self._on_open(connection)
        return connection, deadline

    def give_back(self, connection: Connection) -> None:
        """Let the next caller have a connection; a pool that was closed meanwhile has no next caller."""
        assert isinstance(connection, AsyncConnection)
        if connection.is_open and not self._is_closed:
            self._answered += 1
            self._idle.append(connection)
        else:
            connection.drop()
        self._places.release()

    def drop_idle(self) -> None:
        """Close the connections that nobody uses: they lead to a server that is not the one to ask."""
        while self._idle:
            self._idle.pop().drop()

    async def close(self) -> list[Connection]:
        """Close every connection that nobody uses, and the dedicated ones; return those."""
        self._is_closed = True
        dedicated = [*self.dedicated, *self.former]
        await asyncio.gather(*(connection.close() for connection in [*self._idle, *dedicated]))
        return dedicated

    async def _wait(self, limit: float) -> None:
        while True:
            answered = self._answered
            try:
                async with asyncio.timeout(limit):
                    await self._places.acquire()
                return
            except TimeoutError:
                # Where those before us are answered, their replies are large, or their link is slow.
                if self._answered == answered:
                    raise ServerUnavailable(
                        f"all {MAX_CONNECTIONS} connections to {self._address} were busy until the call's timeout"
                    ) from None

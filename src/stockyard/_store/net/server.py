"""The server as a whole: its connections, a pool per event loop and one outside, and its clock."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any

from stockyard._aio.per_loop import PerLoop
from stockyard._aio.repeats import repeats
from stockyard._store.net.async_connection import AsyncConnection
from stockyard._store.net.async_pool import AsyncPool
from stockyard._store.net.blocking_pool import BlockingPool, BlockingPools
from stockyard._store.net.dedicated import DedicatedConnection
from stockyard._store.net.locator import Locator
from stockyard._store.net.sentinels import Sentinels
from stockyard._store.net.server_calls import ServerCalls
from stockyard._store.net.watch import Watch
from stockyard._store.server_clock import ServerClock
from stockyard.config import Address
from stockyard.model.clock import Clock, system_clock

_log = logging.getLogger(__name__)
_QUICK_MS = 20
"""A round trip that is quicker measures a clock well enough."""


class Server(ServerCalls):
    """One Redis or Valkey server, or the primary of a Sentinel set.

    Where no loop runs in the thread, the coroutines of calls and scripts never suspend: ``Portal.call_directly``
    runs them to their end on connections that block.

    Args:
        address, call_timeout: those of ``ServerCalls``.
        clock: this machine's. Defaults to the system's.
        connect_timeout: seconds in which a connection must be open. Defaults to those of the call.
        locator: that of ``Connection``. Defaults to the address's own.
        on_open: that of ``AsyncPool``, and of the connections for one user alone.

    Attributes:
        clock: gives the server's time, once it was measured.
    """

    def __init__(
        self,
        address: Address,
        *,
        call_timeout: float = 5.0,
        clock: Clock = system_clock,
        connect_timeout: float = math.inf,
        locator: Locator | None = None,
        on_open: Callable[[AsyncConnection], None] | None = None,
    ) -> None:
        super().__init__(address, call_timeout=call_timeout)
        self.clock: ServerClock = ServerClock(clock)
        self._sentinels = Sentinels(address) if address.kind == "sentinel" else None
        locator = self._locator = locator or self._sentinels
        self._watches: PerLoop[Watch] | None = None
        if address.kind != "server":
            self._watches = PerLoop(self._new_watch)
            on_open = self.watch
        self._on_open = on_open
        self._pools = PerLoop(
            lambda: AsyncPool(address, locator=locator, connect_timeout=connect_timeout, on_open=on_open)
        )
        self._blocking_pools = BlockingPools(
            lambda: BlockingPool(address, locator=locator, connect_timeout=connect_timeout)
        )

    async def measure_clock(self, tries: int = 3) -> None:
        """Measure how far this machine's clock is from the server's: by the quickest of some calls.

        Raises:
            ServerUnavailable, ReplyLost: it does not answer.
        """
        best: tuple[int, int, Any] | None = None
        for _ in range(tries):
            before = self.clock.local()
            (time,) = await self.ask([("TIME",)])
            after = self.clock.local()
            if best is None or after - before < best[1] - best[0]:
                best = before, after, time
            if best[1] - best[0] <= _QUICK_MS:
                break
        if best is not None:
            self.clock.note(*best)

    async def learn_time(self) -> None:
        """Measure the clock, once for all who ask at the same time; the errors are those of ``measure_clock``."""
        pool = self._pool()
        if isinstance(pool, BlockingPool):
            await self.measure_clock()
            return
        if pool.measuring is None or pool.measuring.done():
            pool.measuring = asyncio.create_task(self.measure_clock())
            # An error is given to those who wait; it must not be reported when all of them were cancelled.
            pool.measuring.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(pool.measuring)

    async def aclose(self) -> None:
        """Close this loop's connections; closing twice is fine."""
        await self._close_watch()
        pool = self._pools.pop()
        if pool:
            dedicated = await pool.close()
            # Their users may open them again in this loop: the next aclose has to find them.
            if dedicated:
                self._pools.get().former.update(dedicated)

    def close(self) -> None:
        """Close the connections of callers without a loop; a later call opens others."""
        self._blocking_pools.close()

    def dedicated(
        self,
        key: str | None,
        *,
        client_name: str | None = None,
        reads_text: bool = False,
        closes_with_server: bool = False,
    ) -> DedicatedConnection:
        """Return a connection for one user alone, not open yet.

        Args:
            key: one of those that it is for; None where all servers will do.
            client_name, reads_text: those of ``Connection``.
            closes_with_server: ``aclose`` of this loop closes it; else its user does.
        """
        connection = DedicatedConnection(
            self.address,
            call_timeout=self.call_timeout,
            client_name=client_name,
            reads_text=reads_text,
            locator=self._locator_of(key),
            on_open=self._on_open,
        )
        if closes_with_server:
            self._pools.get().dedicated.append(connection)
        return connection

    def _locator_of(self, key: str | None) -> Locator | None:
        """Return what finds the server of a key; None where that is at the address."""
        return self._locator

    def watch(self, connection: AsyncConnection) -> None:
        """Drop a connection of the running loop when another server has taken the place of its own."""
        assert self._watches is not None
        self._watches.get().add(connection)

    async def _close_watch(self) -> None:
        watch = self._watches.pop() if self._watches else None
        if watch:
            await watch.close()

    def _new_watch(self) -> Watch:
        from stockyard._store.net.sentinel_watch import SentinelWatch

        assert self._sentinels is not None
        return SentinelWatch(self._sentinels)

    def _pool(self) -> AsyncPool | BlockingPool:
        return self._blocking_pools.get() if asyncio._get_running_loop() is None else self._pools.get()

    def _note_trouble(self, why: str) -> None:
        super()._note_trouble(why)
        repeats.warn(_log, "calls are sent again until a primary answers", why)

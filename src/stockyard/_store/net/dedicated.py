"""A connection for one reader or writer alone, opened when it is first used and again after it broke."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from stockyard._store.net.async_connection import AsyncConnection
from stockyard._store.net.connection import Command
from stockyard._store.net.locator import Locator
from stockyard.config import Address


class DedicatedConnection(AsyncConnection):
    """A connection that is not shared, as it blocks, or as the server speaks on it unasked.

    Args:
        address, client_name, reads_text, locator: those of ``AsyncConnection``.
        call_timeout: seconds until it is open, and until a reply.
        on_open: called each time that it is open. Defaults to nothing.
    """

    def __init__(
        self,
        address: Address,
        *,
        call_timeout: float,
        client_name: str | None = None,
        reads_text: bool = False,
        locator: Locator | None = None,
        on_open: Callable[[AsyncConnection], None] | None = None,
    ) -> None:
        super().__init__(address, client_name=client_name, reads_text=reads_text, locator=locator)
        self.call_timeout = call_timeout
        self._on_open = on_open

    async def open(self, timeout: float) -> None:
        await super().open(timeout)
        if self._on_open is not None:
            self._on_open(self)

    async def reopen(self) -> None:
        """Connect again; tried again until the call timeout. The errors are those of ``open``."""
        await self.open_until(time.monotonic() + self.call_timeout)

    async def call(self, *commands: Command, timeout: float | None = None) -> list[Any]:
        """Run commands in one round trip, connecting first where it is needed; error replies are returned.

        Args:
            commands: in their order.
            timeout: seconds until the first byte of a reply. Defaults to the call timeout.

        Raises:
            ServerUnavailable: nothing was sent.
            ReplyLost: sent, and the outcome is unknown.
        """
        if not self.is_open:
            await self.reopen()
        return await self.ask(commands, timeout or self.call_timeout)

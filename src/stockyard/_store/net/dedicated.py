"""A connection for one reader or writer alone, opened when it is first used and again after it broke."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from stockyard._store.net.asking import asking, without_asking
from stockyard._store.net.async_connection import AsyncConnection
from stockyard._store.net.connection import Command
from stockyard._store.net.locator import Locator
from stockyard._store.net.refusals import Redirected
from stockyard.config import Address

_HOPS = 3
"""How often a call follows where nodes say that its keys are; two may name each other."""


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

        What a node of a cluster did not run, as the slot is at another or being moved there, runs at that one.

        Args:
            commands: in their order; those that have keys have them in one slot.
            timeout: seconds until the first byte of a reply. Defaults to the call timeout.

        Raises:
            ServerUnavailable: nothing was sent, or nobody is where the keys are said to be.
            ReplyLost: sent, and the outcome is unknown.
        """
        limit = timeout or self.call_timeout
        if not self.is_open:
            await self.reopen()
        replies = await self._run(commands, limit)
        for _ in range(_HOPS):
            moved = [at for at, reply in enumerate(replies) if isinstance(reply, Redirected)]
            if not moved or not self._follows(replies[moved[0]]):
                break
            await self.reopen()
            # Of a transaction, all or nothing was done.
            again = range(len(commands)) if commands[0][0] == "MULTI" else moved
            answers = await self._run([commands[at] for at in again], limit)
            for at, answer in zip(again, answers, strict=True):
                replies[at] = answer
        return replies

    def _follows(self, refusal: Redirected) -> bool:
        """Let the next connection lead where a node says; say whether that can be done."""
        if self._locator is None:
            return False
        return not refusal.is_asking or self._locator.lead_to(refusal.node)

    async def _run(self, commands: Sequence[Command], limit: float) -> list[Any]:
        if self._locator is None or not self._locator.is_asking:
            return await self.ask(commands, limit)
        return without_asking(commands, await self.ask(asking(commands), limit))

"""Asks a Sentinel once a second which server is the primary."""

from __future__ import annotations

from stockyard._store.net.async_connection import AsyncConnection
from stockyard._store.net.locator import Asked
from stockyard._store.net.sentinels import Sentinels
from stockyard._store.net.watch import Watch
from stockyard.errors import ServerError


class SentinelWatch(Watch):
    """Watches the connections to the primary of a Sentinel set.

    Args:
        sentinels: those of the set.
    """

    def __init__(self, sentinels: Sentinels) -> None:
        super().__init__()
        self._sentinels = sentinels
        self._kept: Asked | None = None

    async def _look(self) -> None:
        if self._kept is not None:
            try:
                await self._sentinels.ask(self._kept)
            except ServerError:
                # The others may know.
                await self._disconnect()
        if self._kept is None:
            self._kept, _ = await self._sentinels.first_answer(AsyncConnection)

    async def _disconnect(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.close()

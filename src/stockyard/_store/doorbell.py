"""Waits for a queue's marker on a connection of its own, and rebuilds it when it falls silent."""

from __future__ import annotations

import time

from stockyard._store.line import Line
from stockyard._store.link import QueueLink
from stockyard._store.server import open_patiently
from stockyard._wire.client_name import worker_client_name
from stockyard.errors import ServerRefused

SILENCE = 3.0
"""Seconds past the block time after which the connection counts as dead."""


class Doorbell:
    """A worker's blocking connection; its name makes the worker visible to BullMQ's tools.

    Args:
        link: the queue.
        worker: the worker's name, or None.
    """

    def __init__(self, link: QueueLink, *, worker: str | None = None) -> None:
        self._link = link
        self._line = Line(
            link.server.address, client_name=worker_client_name(link.keys.prefix, link.queue, worker)
        )

    async def open(self) -> None:
        """Connect now, so that the worker is seen before its first wait."""
        await open_patiently(self._line, time.monotonic() + self._link.server.call_timeout)

    async def wait(self, seconds: float) -> int | None:
        """Wait until somebody rings, at most so long.

        Returns:
            The marker's score: 0 for "something may be ready", else when the next job is due (ms since the
            epoch); None when nobody rang.

        Raises:
            ServerUnavailable, ReplyLost: the connection broke or fell silent; the next call builds a new one.
        """
        if not self._line.is_open:
            await self.open()
        marker = self._link.keys["marker"]
        (reply,) = await self._line.ask([("BZPOPMIN", marker, f"{max(seconds, 0.001):.3f}")], seconds + SILENCE)
        if isinstance(reply, ServerRefused):
            raise reply
        return None if reply is None else int(float(reply[2]))

    async def ring_again(self) -> None:
        """Pass on a ring that this worker has no room to answer."""
        await self._link.server.call("ZADD", self._link.keys["marker"], 0, "0")

    def drop(self) -> None:
        """Break off a wait at once."""
        self._line.drop()

    async def close(self) -> None:
        """Disconnect; closing twice is fine."""
        await self._line.close()

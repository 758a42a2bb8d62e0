"""Reads a queue's event stream."""

from __future__ import annotations

import time
from typing import NamedTuple

from stockyard._store.line import Line
from stockyard._store.link import QueueLink
from stockyard._store.server import open_patiently
from stockyard.errors import ServerRefused

_SILENCE = 3.0


class Event(NamedTuple):
    """One entry: its stream id, the event's name, its fields."""

    id: str
    name: str
    fields: dict[str, str]


class EventStream:
    """Reads events in order from a position, on a connection of its own.

    Args:
        link: the queue.
    """

    def __init__(self, link: QueueLink) -> None:
        self._link = link
        self._line = Line(link.server.address)
        self._last: str | None = None

    async def start(self) -> None:
        """Fix the position: events from now on will be read."""
        (reply,) = await self._link.server.ask([("XREVRANGE", self._link.keys["events"], "+", "-", "COUNT", 1)])
        if isinstance(reply, ServerRefused):
            raise reply
        self._last = reply[0][0].decode() if reply else "0-0"

    async def read(self, seconds: float) -> list[Event]:
        """Return the next events, or none after so many seconds; a lost connection is rebuilt by the next call.

        Raises:
            ServerUnavailable, ReplyLost: the server cannot be read now; the position is kept.
        """
        if not self._line.is_open:
            await open_patiently(self._line, time.monotonic() + self._link.server.call_timeout)
        key, last = self._link.keys["events"], self._last or "$"
        command = ("XREAD", "COUNT", 500, "BLOCK", int(seconds * 1000), "STREAMS", key, last)
        (reply,) = await self._line.ask([command], seconds + _SILENCE)
        if isinstance(reply, ServerRefused):
            raise reply
        if not reply:
            return []
        events = [_event(entry) for entry in reply[0][1]]
        self._last = events[-1].id
        return events

    def drop(self) -> None:
        """Break off a read at once."""
        self._line.drop()

    async def close(self) -> None:
        """Disconnect; closing twice is fine."""
        await self._line.close()


def _event(entry: tuple[bytes, list[bytes]]) -> Event:
    text = [each.decode(errors="replace") for each in entry[1]]
    fields = dict(zip(text[::2], text[1::2], strict=False))
    return Event(entry[0].decode(), fields.pop("event", ""), fields)

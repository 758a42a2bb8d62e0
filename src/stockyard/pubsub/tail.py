"""Follows the end of a durable channel once for all readers of a loop."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, NamedTuple

from stockyard._aio.repeats import repeats
from stockyard._aio.retry_delay import RetryDelay
from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard._store.channels.durable import DurableConnection, StoredMessage
from stockyard.errors import PayloadError, ServerError
from stockyard.pubsub.message import Message
from stockyard.pubsub.message_codec import MessageCodec

_log = logging.getLogger(__name__)
_LOOK_AGAIN = 5.0
_WINDOW = 1_000
"""Messages that are kept for readers who are that close to the end; others read pages of their own."""

Place = tuple[int, int]


def place_of(message_id: str) -> Place:
    """Return an id as numbers, which are in the order of the messages."""
    milliseconds, _, sequence = message_id.partition("-")
    return int(milliseconds), int(sequence or 0)


class Numbered(NamedTuple):
    """A message with its place and number; None for one that does not fit the type, or is for one group alone."""

    id: str
    place: Place
    number: int
    message: Message[Any] | None


def numbered(found: list[StoredMessage], codec: MessageCodec[Any], channel: str) -> list[Numbered]:
    """Return what was read, decoded."""
    return [Numbered(each.id, place_of(each.id), each.number, _message(each, codec, channel)) for each in found]


def _message(kept: StoredMessage, codec: MessageCodec[Any], channel: str) -> Message[Any] | None:
    if kept.group is not None:
        return None
    try:
        return Message(codec.decode(kept.text), channel, kept.id)
    except PayloadError:
        return None


class Tail:
    """The latest messages of one channel, on a connection as long as there are readers.

    Args:
        keyspace: the channel.
        codec: decodes, once for all who read.
    """

    def __init__(self, keyspace: ChannelKeyspace, codec: MessageCodec[Any]) -> None:
        self._keyspace = keyspace
        self._codec = codec
        self._window: deque[Numbered] = deque()
        self._start: Place | None = None
        self._news = asyncio.Event()
        self._readers: set[Any] = set()
        self._task: asyncio.Task[None] | None = None
        self.epoch: int = 0

    def join(self, reader: Any) -> None:
        """Follow, for this reader too."""
        self._readers.add(reader)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"end of {self._keyspace.channel}")

    async def leave(self, reader: Any) -> None:
        """Do not follow for this reader any more; leaving twice is fine."""
        self._readers.discard(reader)
        self._notify()
        if not self._readers and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])

    def behind(self, message_id: str) -> list[Numbered] | None:
        """Return what is known behind an id, or None when that is too long ago to be known here."""
        place = place_of(message_id)
        if self._start is None or place < self._start:
            return None
        found = []
        for each in reversed(self._window):
            if each.place <= place:
                break
            found.append(each)
        found.reverse()
        return found

    def news(self) -> asyncio.Event:
        """Return what is set as soon as there is something to look at: here, on the server, or all (``epoch``)."""
        return self._news

    async def _run(self) -> None:
        connection = DurableConnection(self._keyspace)
        retry_delay = RetryDelay()
        is_away = False
        self._forget()
        try:
            while True:
                try:
                    await self._follow(connection)
                    retry_delay.reset()
                    is_away = False
                except ServerError as error:
                    if not is_away:
                        repeats.warn(_log, f"channel {self._keyspace.channel} cannot be read; trying again", error)
                    is_away = True
                    await retry_delay.wait()
        finally:
            self._forget()
            await connection.close()

    async def _follow(self, connection: DurableConnection) -> None:
        """Read on behind what was read last, or from the end."""
        if self._start is None:
            last, _ = await durable.look(self._keyspace, None)
            self._start = place_of(last)
            # Readers may have looked before that, and seen less.
            self._notify()
        else:
            last = self._window[-1].id if self._window else "{}-{}".format(*self._start)
        found = await connection.follow(last, _LOOK_AGAIN)
        if found:
            self._window.extend(numbered(found, self._codec, self._keyspace.channel))
            while len(self._window) > _WINDOW:
                self._start = self._window.popleft().place
            self._notify()
        elif (await durable.look(self._keyspace, last))[1] is None:
            # What was read is gone, all of it: the readers must see for themselves what else is.
            self._forget()
            self.epoch += 1
            self._notify()

    def _forget(self) -> None:
        self._window.clear()
        self._start = None

    def _notify(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

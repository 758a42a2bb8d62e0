"""One reader of a durable channel, from a place of its own and on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Generic, Self, TypeVar

from stockyard._aio.portal import Portal
from stockyard._aio.reader import RetryingReader
from stockyard._aio.repeats import repeats
from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard.blocking import BlockingReplay
from stockyard.errors import ServerError
from stockyard.model import checks
from stockyard.pubsub.message import Message, MessageGap
from stockyard.pubsub.message_codec import MessageCodec
from stockyard.pubsub.stats import Counts
from stockyard.pubsub.tail import Numbered, Tail, numbered

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Replay(RetryingReader[Message[T] | MessageGap], Generic[T]):
    """The messages of a durable channel behind a place, then those that come, without a group.

    Made by ``OpenChannel.replay``; the place is fixed on entering:

        async with app.channel(fills).replay(after="0-0") as messages:
            async for message in messages: ...

    It reads at its own pace, and loses nothing but what the channel does not keep; a ``MessageGap`` says so. It
    reconnects when the server is back.

    Raises:
        ServerUnavailable, ServerRefused: on entering, the server cannot be reached within the call timeout, or the
            user may not read. Afterwards it is tried again until it can.
    """

    def __init__(
        self,
        keyspace: ChannelKeyspace,
        *,
        after: str | None,
        find_tail: Callable[[], Tail],
        codec: MessageCodec[T],
        counts: Counts,
        portal: Portal,
    ) -> None:
        super().__init__()
        self.channel: str = keyspace.channel
        self._keyspace = keyspace
        self._after = None if after is None else checked_id(after)
        self._find_tail = find_tail
        self._tail: Tail | None = None
        self._codec = codec
        self._counts = counts
        self._portal = portal
        self._last = self._place = durable.BEGINNING
        self._number: int | None = 0
        self._epoch = 0

    @property
    def sync(self) -> BlockingReplay[T]:
        """This reader for code without a running loop, with plain ``with`` and ``for``."""
        view: BlockingReplay[T] = self._portal.blocking(self)
        return view

    @property
    def place(self) -> str:
        """Id of the message that was read last, or behind which the first is read; ``after`` goes on there."""
        return self._place

    async def aclose(self) -> None:
        """End the iteration; closing twice is fine."""
        self._is_closed = True
        if self._tail is not None:
            await self._tail.leave(self)

    async def __aenter__(self) -> Self:
        if self._loop is None:
            await self._look(self._after)
            self._place = self._last
            self._tail = self._find_tail()
            self._epoch = self._tail.epoch
            self._tail.join(self)
            self._loop = asyncio.get_running_loop()
        return self

    async def __anext__(self) -> Message[T] | MessageGap:
        return await self._next()

    async def _read(self) -> None:
        assert self._tail is not None
        news = self._tail.news()
        if self._epoch != self._tail.epoch:
            epoch = self._tail.epoch
            await self._look(self._last)
            self._epoch = epoch
            return
        found = self._tail.behind(self._last)
        if found is None:
            page = await durable.read(self._keyspace, self._last)
            self._counts.received += len(page)
            found = numbered(page, self._codec, self.channel)
        if found:
            self._note(found)
        else:
            await news.wait()

    async def _look(self, after: str | None) -> None:
        """Fix the place; a gap when it is not certain that nothing is missing behind it."""
        self._last, self._number = await durable.look(self._keyspace, after)
        if self._number is None:
            is_lost = self._last != after
            self._ready.append(MessageGap(channel=self.channel, reason="lost" if is_lost else "trimmed"))

    def _note(self, found: Iterable[Numbered]) -> None:
        for message_id, _, number, message in found:
            expected = number if self._number is None else self._number + 1
            if number > expected:
                self._ready.append(MessageGap(channel=self.channel, reason="trimmed", missed=number - expected))
            elif number < expected:
                self._ready.append(MessageGap(channel=self.channel, reason="lost"))
            self._last, self._number = message_id, number
            if message is not None:
                self._ready.append(message)

    def _handed(self, item: Message[T] | MessageGap) -> Message[T] | MessageGap:
        if isinstance(item, MessageGap):
            self._counts.gaps += 1
        else:
            self._place = item.id or self._place
            self._counts.delivered += 1
        return item

    def _warn(self, error: ServerError) -> None:
        repeats.warn(_log, f"channel {self.channel} cannot be read; trying again", error)


def checked_id(message_id: str, *, option: str = "after") -> str:
    """Return the id of a message if it can be one.

    Raises:
        InvalidOption: it cannot.
    """
    return checks.stream_id(option, message_id, of="a message")

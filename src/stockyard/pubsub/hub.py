"""Listens to the live channels of a loop for all who read them, and hands on what comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from stockyard._aio.repeats import repeats
from stockyard._aio.retry_delay import RetryDelay
from stockyard._store.channels.broadcast import Broadcast, ChannelKeyspace, ReceivedMessages
from stockyard._store.channels.broadcast_at import broadcast_at
from stockyard._store.net.server import Server
from stockyard.errors import ServerError, ServerRefused, ServerUnavailable
from stockyard.pubsub.message import Message
from stockyard.pubsub.message_codec import MessageCodec
from stockyard.pubsub.stats import Counts

if TYPE_CHECKING:
    from stockyard._store.channels.sharded_broadcast import ShardedBroadcast

_log = logging.getLogger(__name__)


class Listener(Protocol):
    """A reader of one channel, as the hub sees it."""

    def begin(self) -> None:
        """The channel is listened to from now on; a second time, after it was not for a while."""

    def offer(self, messages: Sequence[Message[Any]]) -> Sequence[Message[Any]]:
        """Take as many as there is room for; return the rest."""

    async def press(self, messages: Sequence[Message[Any]]) -> None:
        """Take the rest, at the price that was agreed on for that."""


class _Feed:
    """One channel with its readers."""

    def __init__(self, keyspace: ChannelKeyspace, codec: MessageCodec[Any], counts: Counts) -> None:
        self.name = keyspace.channel
        self.codec = codec
        self.counts = counts
        self.listeners: list[Listener] = []
        self.joining: list[asyncio.Future[None]] = []
        self.has_begun = False

    def begin(self) -> None:
        self.has_begun = True
        for listener in self.listeners:
            listener.begin()
        for future in self.joining:
            if not future.done():
                future.set_result(None)
        self.joining.clear()

    def lose(self, error: ServerError) -> None:
        """The channel is not listened to for a while."""
        if self.has_begun:
            self.has_begun = False
            self.counts.reconnects += 1
        if isinstance(error, ServerRefused):
            self.refuse(error)

    def refuse(self, error: ServerError) -> bool:
        """Notify the joining listeners; return whether there were any."""
        waiting = [future for future in self.joining if not future.done()]
        for future in waiting:
            future.set_exception(error)
        self.joining.clear()
        return bool(waiting)


class Hub:
    """The readers of one loop; it is connected as long as there are any.

    Args:
        server: the server.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._feeds: dict[bytes, _Feed] = {}
        self._broadcast: Broadcast | ShardedBroadcast | None = None
        self._task: asyncio.Task[None] | None = None
        self._trouble: ServerError | None = None

    async def join(
        self, listener: Listener, keyspace: ChannelKeyspace, codec: MessageCodec[Any], counts: Counts
    ) -> None:
        """Return when everything that is published from now on will come to the listener.

        Raises:
            ServerUnavailable: the server cannot be reached within the call timeout.
            ServerRefused: the user may not listen there.
            ServerTooOld: the nodes of the cluster are older than Redis 7.
        """
        key = keyspace.live_channel
        feed = self._feeds.get(key)
        is_new = feed is None
        if feed is None:
            feed = self._feeds[key] = _Feed(keyspace, codec, counts)
        feed.listeners.append(listener)
        if feed.has_begun:
            listener.begin()
            return
        future = asyncio.get_running_loop().create_future()
        feed.joining.append(future)
        if self._task is None:
            self._trouble = None
            self._task = asyncio.create_task(self._run(), name="channels")
        elif is_new and self._broadcast is not None:
            self._broadcast.listen(key)
        try:
            async with asyncio.timeout(self._server.call_timeout):
                await future
        except TimeoutError:
            await self.leave(listener, keyspace)
            raise self._trouble or ServerUnavailable(
                f"the server at {self._server.address} did not begin to send channel {keyspace.channel!r} in time"
            ) from None
        except BaseException:
            await self.leave(listener, keyspace)
            raise

    async def leave(self, listener: Listener, keyspace: ChannelKeyspace) -> None:
        """Hand a listener nothing more; leaving twice is fine."""
        key = keyspace.live_channel
        feed = self._feeds.get(key)
        if feed is None or listener not in feed.listeners:
            return
        feed.listeners.remove(listener)
        if feed.listeners:
            return
        del self._feeds[key]
        if self._feeds:
            if self._broadcast is not None:
                self._broadcast.leave(key)
        elif self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        # Its own, so that a reader who joins while this one ends gets another.
        broadcast = self._broadcast = broadcast_at(self._server)
        retry_delay = RetryDelay()
        try:
            while True:
                try:
                    await broadcast.open()
                    for key in self._feeds:
                        broadcast.listen(key)
                    while True:
                        await self._dispatch(await broadcast.hear())
                        retry_delay.reset()
                except ServerError as error:
                    broadcast.drop()
                    self._note(error)
                    await retry_delay.wait()
        finally:
            await broadcast.close()

    async def _dispatch(self, received: ReceivedMessages) -> None:
        for key in received.begun:
            if key in self._feeds:
                self._feeds[key].begin()
                self._trouble = None
        for key, error in received.refused:
            if key in self._feeds and not self._feeds[key].refuse(error):
                raise error
        for key, texts in received.texts.items():
            feed = self._feeds.get(key)
            if feed is None:
                continue
            feed.counts.received += len(texts)
            messages = feed.codec.messages(texts)
            rests = [(listener, listener.offer(messages)) for listener in feed.listeners]
            for listener, rest in rests:
                if rest:
                    await listener.press(rest)
        for key, error in received.lost:
            self._warn(error)
            if key in self._feeds:
                self._feeds[key].lose(error)
        if received.texts:
            # What was read lies ready, so nothing here has waited: the readers have their turn.
            await asyncio.sleep(0)

    def _warn(self, error: ServerError) -> None:
        if self._trouble is None:
            repeats.warn(_log, "channels cannot be listened to; trying again", error)
        self._trouble = error

    def _note(self, error: ServerError) -> None:
        self._warn(error)
        for feed in self._feeds.values():
            feed.lose(error)

"""A channel on a server, as those who publish and read see it."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from stockyard._aio.per_loop import PerLoop
from stockyard._aio.portal import Portal
from stockyard._store.channels import broadcast, durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard._store.channels.listing import ChannelNote
from stockyard.blocking import BlockingOpenChannel
from stockyard.errors import InvalidOption, PayloadError
from stockyard.model import checks
from stockyard.model.fixed import Fixed
from stockyard.pubsub.channel import Channel
from stockyard.pubsub.consumer import Consumer
from stockyard.pubsub.delivery import Delivery
from stockyard.pubsub.groups import ConsumerGroup, DeadLetter, consumer_group
from stockyard.pubsub.handling import handle
from stockyard.pubsub.hub import Hub
from stockyard.pubsub.message import Message, MessageGap
from stockyard.pubsub.message_codec import MessageCodec
from stockyard.pubsub.replay import Replay, checked_id
from stockyard.pubsub.send_buffer import SendBuffer
from stockyard.pubsub.stats import ChannelStats, Counts
from stockyard.pubsub.subscription import Policy, Subscription
from stockyard.pubsub.tail import Tail

T = TypeVar("T")
R = TypeVar("R", Subscription[Any], Consumer[Any], Replay[Any])


class OpenChannel(Fixed, Generic[T]):
    """Publishes on a channel of the app's server, and reads it live or durably.

    Made by ``App.channel``; it opens connections at the first call and may be used from several loops.
    """

    def __init__(
        self,
        channel: Channel[T],
        *,
        keyspace: ChannelKeyspace,
        note: ChannelNote,
        hubs: PerLoop[Hub],
        portal: Portal,
    ) -> None:
        self.channel = channel
        self.name: str = channel.name
        self._keyspace = keyspace
        self._note = note
        self._hubs = hubs
        self._portal = portal
        self._counts = Counts()
        self._codec: MessageCodec[T] = MessageCodec(channel, self._counts)
        self._send_buffers: PerLoop[SendBuffer[bytes, Any]] = PerLoop(lambda: SendBuffer(self._send, weigh=len))
        self._tails = PerLoop(lambda: Tail(keyspace, self._codec))
        self._readers: weakref.WeakSet[Subscription[T] | Consumer[T] | Replay[T]] = weakref.WeakSet()
        self._is_made = True

    @property
    def sync(self) -> BlockingOpenChannel[T]:
        """This channel for code without a running loop: ``channel.sync.publish(...)`` blocks until it is done."""
        view: BlockingOpenChannel[T] = self._portal.blocking(self)
        return view

    def stats(self) -> ChannelStats:
        """Return what this channel did in this process."""
        return self._counts.snapshot()

    async def publish(self, value: T) -> Any:
        """Publish one message; calls of the same turn of the loop travel together, in the order made.

        Args:
            value: of the channel's type.

        Returns:
            On a live channel, how many connections it was sent to. On a durable one, its id.

        Raises:
            PayloadError: the value is not JSON-able or does not fit the channel's type.
            ServerUnavailable: the server could not be reached within the call timeout; nothing was published.
            ReplyLost: it was sent and not answered; it may or may not have been published.
        """
        (answer,) = await self._send_buffers.get().put([self._codec.encode(value)])
        return answer

    async def publish_many(self, values: Iterable[T]) -> list[Any]:
        """Publish messages in their order, in few round trips; all are checked before any is sent.

        Returns and raises what ``publish`` does, for each; after an error, those of earlier round trips were
        published.
        """
        texts = [self._codec.encode(value) for value in checks.several("values", values, of="messages")]
        return list(await self._send_buffers.get().put(texts)) if texts else []

    def subscribe(self, *, buffer: int = 10_000, policy: Policy = "drop_oldest") -> Subscription[T]:
        """Listen to a live channel from now on: ``async with channel.subscribe() as messages``.

        Args:
            buffer: messages that wait for this reader at most. Defaults to 10,000.
            policy: what becomes of one that has no place there; see ``Policy``. Defaults to ``"drop_oldest"``.
                With ``"block"`` the subscription has a connection of its own; all others of a loop share one.

        Raises:
            InvalidOption: an argument is out of its range, or the channel is durable.
        """
        if self.channel.durable:
            raise InvalidOption(
                f"channel {self.name!r} is durable: read it by consume(group), or by replay() without a group"
            )
        server = self._keyspace.server
        return self._noted(
            Subscription(
                self._keyspace,
                buffer=buffer,
                policy=policy,
                find_hub=(lambda: Hub(server)) if policy == "block" else self._hubs.get,
                codec=self._codec,
                counts=self._counts,
                portal=self._portal,
            )
        )

    def consume(
        self, group: str, consumer: str | None = None, *, after: str | None = "0-0", buffer: int = 100
    ) -> Consumer[T]:
        """Consume a durable channel as one of a group: ``async with channel.consume("ledger") as messages``.

        Args:
            group: its consumers share the messages; each group is given all of them.
            consumer: this consumer's name, which no other of the group has. Defaults to a new one.
            after: where the group begins if there is none yet: behind the message of this id; None for now.
                Defaults to ``"0-0"``: with the oldest there is.
            buffer: messages that are read ahead at most. Defaults to 100.

        Raises:
            InvalidOption: an argument is wrong, or the channel is not durable.
        """
        return self._noted(
            Consumer(
                self._durable("consume"),
                self.channel,
                group,
                consumer,
                after=None if after is None else checked_id(after),
                buffer=buffer,
                codec=self._codec,
                counts=self._counts,
                portal=self._portal,
            )
        )

    async def handle(
        self,
        group: str,
        handler: Callable[[Delivery[T]], Any],
        *,
        concurrency: int = 1,
        consumer: str | None = None,
        after: str | None = "0-0",
        buffer: int = 100,
        on_gap: Callable[[MessageGap], None] | None = None,
    ) -> None:
        """Give each message of a group to a handler until cancelled, and acknowledge it when that returns.

        A handler that raises has its message delivered again, after a pause that grows; after the channel's
        ``attempts``, or at once by ``UnrecoverableError``, it is a dead letter.

        Args:
            group, consumer, after, buffer: as in ``consume``.
            handler: ``async def``, or ``def``, which runs in a thread; is given the message.
            concurrency: messages at a time. Defaults to 1: in order, as long as none fails.
            on_gap: called when messages are missing. Defaults to a line in the log.

        Raises:
            InvalidOption: an argument is wrong, or the channel is not durable.
            HandlerError: the handler is no function.
            ServerUnavailable, ServerRefused: at the beginning, as ``consume``.
        """
        checks.whole("concurrency", concurrency, least=1)
        messages = self.consume(group, consumer, after=after, buffer=buffer)
        await handle(messages, handler, concurrency=concurrency, on_gap=on_gap)

    def replay(self, after: str | None = None) -> Replay[T]:
        """Read a durable channel without a group: what is kept behind a place, then what comes.

        Args:
            after: id of the message to go on behind; ``"0-0"`` begins with the oldest there is. Defaults to None:
                from now on.

        Raises:
            InvalidOption: ``after`` is no id, or the channel is not durable.
        """
        return self._noted(
            Replay(
                self._durable("replay"),
                after=after,
                find_tail=self._tails.get,
                codec=self._codec,
                counts=self._counts,
                portal=self._portal,
            )
        )

    async def read(self, after: str = "0-0", count: int = 100) -> list[Message[T]]:
        """Return messages that a durable channel keeps behind a place, the oldest first, and do not wait.

        Args:
            after: id of the message to go on behind. Defaults to the beginning.
            count: so many are looked at; those that do not fit the type are left out.

        Raises:
            InvalidOption: an argument is wrong, or the channel is not durable.
            ServerError: the server did not answer.
        """
        keyspace = self._durable("read")
        found = []
        for each in await durable.read(keyspace, checked_id(after), checks.whole("count", count, least=1)):
            if each.group is None:
                with suppress(PayloadError):
                    found.append(Message(self._codec.decode(each.text), self.name, each.id))
        return found

    async def groups(self) -> list[ConsumerGroup]:
        """Return the groups of a durable channel, by name.

        Raises:
            InvalidOption: the channel is not durable.
            ServerError: the server did not answer.
        """
        return [consumer_group(each) for each in await durable.read_groups(self._durable("groups"))]

    async def delete_group(self, group: str) -> bool:
        """Forget a group, with all that it has not read; return whether there was one. The errors are as above."""
        return await durable.delete_group(self._durable("delete_group"), checks.text("a group's name", group))

    async def dead_letters(self, after: str = "0-0", count: int = 100) -> list[DeadLetter[T]]:
        """Return what groups gave up, the oldest first; of these, about the latest 10,000 are kept.

        Args:
            after: id of the dead letter to go on behind. Defaults to the beginning.
            count: so many at most. Defaults to 100.

        Raises:
            InvalidOption: an argument is wrong, or the channel is not durable.
            ServerError: the server did not answer.
        """
        keyspace = self._durable("dead_letters")
        found = await durable.read_dead_letters(keyspace, checked_id(after), checks.whole("count", count, least=1))
        return [
            DeadLetter(
                each.id,
                each.group,
                each.message_id,
                each.deliveries,
                each.reason,
                self._value(each.text),
                each.text,
            )
            for each in found
        ]

    async def redeliver(self, *ids: str) -> int:
        """Give dead letters to their groups again, as new messages that other groups do not see.

        Returns:
            How many there were.

        Raises:
            InvalidOption: one is no id, or the channel is not durable.
            ServerError: the server did not answer.
        """
        return await durable.redeliver(self._durable("redeliver"), [checked_id(each, option="id") for each in ids])

    async def discard(self, *ids: str) -> int:
        """Delete dead letters; return how many there were. The errors are those of ``redeliver``."""
        return await durable.discard(self._durable("discard"), [checked_id(each, option="id") for each in ids])

    async def close_readers(self) -> None:
        """End those who read in the running loop."""
        here = asyncio.get_running_loop()
        for reader in [each for each in self._readers if each.loop is here]:
            await reader.aclose()

    async def _send(self, texts: Sequence[bytes]) -> Sequence[Any]:
        if self.channel.durable:
            keep_ms, max_len = self.channel.keep_ms, self.channel.max_len
            answers: Sequence[Any] = await durable.publish(self._keyspace, texts, keep_ms=keep_ms, max_len=max_len)
            await self._note.write()
        else:
            answers = await broadcast.publish(self._keyspace, texts)
        self._counts.published += len(texts)
        return answers

    def _durable(self, verb: str) -> ChannelKeyspace:
        if not self.channel.durable:
            raise InvalidOption(
                f"channel {self.name!r} is live and keeps nothing: {verb} needs one declared with durable=True"
            )
        return self._keyspace

    def _value(self, text: bytes) -> T | None:
        with suppress(PayloadError):
            return self._codec.decode(text)
        return None

    def _noted(self, reader: R) -> R:
        self._readers.add(reader)
        return reader

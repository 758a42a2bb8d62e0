"""One consumer of a group: takes messages, holds them, and hands back what it does not finish."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Generic, Self, TypeVar

from stockyard._aio.portal import Portal
from stockyard._aio.reader import RetryingReader
from stockyard._aio.repeats import repeats
from stockyard._aio.service import Periodic
from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard._store.channels.durable import DEAD_LETTERED, DurableConnection, PendingMessage, TakeReply
from stockyard.blocking import BlockingConsumer
from stockyard.errors import InvalidOption, PayloadError, ServerError
from stockyard.model import checks
from stockyard.model.fixed import Fixed
from stockyard.pubsub.channel import Channel
from stockyard.pubsub.delivery import Delivery
from stockyard.pubsub.message import MessageGap
from stockyard.pubsub.message_codec import MessageCodec
from stockyard.pubsub.send_buffer import SendBuffer
from stockyard.pubsub.stats import Counts

T = TypeVar("T")
_log = logging.getLogger(__name__)
_LOOK_AGAIN = 1.0
"""Seconds after which a consumer looks for what dead ones left, at the latest."""


class Consumer(Fixed, RetryingReader[Delivery[T] | MessageGap], Generic[T]):
    """A consumer of a group of a durable channel.

    Made by ``OpenChannel.consume``:

        async with app.channel(fills).consume("ledger") as messages:
            async for message in messages:
                match message:
                    case Delivery(): ...; await message.ack()
                    case MessageGap(): ...

    Each message comes to one consumer of each group. One that is not acknowledged comes again, to any of them: at
    once after leaving the block, and within the channel's ``idle`` after the process died. So a message may come
    more than once; after the channel's ``attempts`` it is a dead letter. A server that goes away is waited for.

    Raises:
        ServerUnavailable, ServerRefused: on entering, the server cannot be reached within the call timeout, or the
            user may not consume. Afterwards it is tried again until it can.
    """

    def __init__(
        self,
        keyspace: ChannelKeyspace,
        channel: Channel[T],
        group: str,
        consumer: str | None,
        *,
        after: str | None,
        buffer: int,
        codec: MessageCodec[T],
        counts: Counts,
        portal: Portal,
    ) -> None:
        checks.text("a group's name", group)
        if consumer is not None and (not isinstance(consumer, str) or consumer in ("", "-")):
            raise InvalidOption(f"a consumer's name must be non-empty text and not '-'; got {consumer!r}")
        super().__init__()
        self.channel: str = channel.name
        self.group = group
        self.name: str = consumer or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._keyspace = keyspace
        self._idle_ms = channel.idle_ms
        self._attempts = channel.attempts
        self._after = after
        self._size = checks.whole("buffer", buffer, least=1)
        self._codec = codec
        self._counts = counts
        self._portal = portal
        self._connection = DurableConnection(keyspace)
        self._acks: SendBuffer[str, None] = SendBuffer(self._send_acks)
        self._renewing = Periodic(self._renew, channel.idle_ms / 3000, name=f"consumer of {channel.name}")
        # What this consumer has, handed to the program or not, and until when it certainly has it.
        self._in_hand: dict[str, Delivery[T]] = {}
        self._held_until = 0.0
        self._next_look = 0.0
        self._last: str | None = None
        # How many its group has missed, and of how many of these the program was told; none when it has not begun.
        self._missed, self._reported = 0, -1
        # What goes on when the program stops waiting for it, as under a timeout.
        self._going: asyncio.Task[None] | None = None
        self._is_unsure = False
        self._is_made = True

    @property
    def sync(self) -> BlockingConsumer[T]:
        """This consumer for code without a running loop, with plain ``with`` and ``for``."""
        view: BlockingConsumer[T] = self._portal.blocking(self)
        return view

    async def aclose(self) -> None:
        """Hand back what was not acknowledged, and end the iteration; closing twice is fine."""
        if self._is_closed:
            return
        self._is_closed = True
        self._connection.drop()
        if (going := self._going) is not None:
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)
        await self._renewing.stop()
        await self._connection.close()
        if self._loop is None:
            return
        untouched = [each.id for each in self._ready if isinstance(each, Delivery)]
        try:
            await durable.leave(
                self._keyspace,
                self.group,
                self.name,
                untouched,
                idle_ms=self._idle_ms,
                reported=max(self._reported, 0),
            )
        except ServerError as error:
            _log.warning("a consumer of %s left without handing back: %s", self.channel, error)

    async def __aenter__(self) -> Self:
        if self._loop is None:
            try:
                await self._take()
            except BaseException:
                # Nobody leaves what was not entered.
                self._connection.drop()
                raise
            self._loop = asyncio.get_running_loop()
            await self._renewing.start()
        return self

    async def __anext__(self) -> Delivery[T] | MessageGap:
        return await self._next()

    async def acknowledge(self, message_id: str) -> None:
        """Let the group be done with a message."""
        await self._acks.put([message_id])

    async def release(self, message_id: str, *, reason: str, delay_ms: int, is_final: bool) -> None:
        """Hand a message back, or move it to the dead letters."""
        became = await durable.release(
            self._keyspace,
            self.group,
            self.name,
            message_id,
            attempts=0 if is_final else self._attempts,
            reason=reason,
            idle_ms=max(self._idle_ms - delay_ms, 0),
        )
        self._in_hand.pop(message_id, None)
        self._counts.dead += became == DEAD_LETTERED
        if became and not delay_ms:
            self._next_look = 0.0

    def _has_next(self) -> bool:
        """Say whether something is ready, still this consumer's, and not to wait for what dead ones left."""
        if not self._ready or self._is_unsure:
            return False
        now = monotonic()
        return isinstance(self._ready[0], MessageGap) or now < min(self._held_until, self._next_look)

    async def _open(self) -> None:
        """Take at the next read: who has not entered gets no lease that is renewed."""

    async def _read(self) -> None:
        self._going = self._going or asyncio.create_task(self._prepare())
        await asyncio.wait([self._going])
        going, self._going = self._going, None
        if not going.cancelled():
            going.result()

    async def _prepare(self) -> None:
        """Have something ready, first what dead consumers left; after a while without anything, come back."""
        await self._be_sure()
        if monotonic() >= self._next_look:
            # One at a time: it was delivered before, and each delivery counts.
            await self._take(claims=1)
        elif not self._ready:
            await self._take(fresh=self._size, seconds=self._next_look - monotonic())

    def _handed(self, item: Delivery[T] | MessageGap) -> Delivery[T] | MessageGap:
        if isinstance(item, MessageGap):
            self._counts.gaps += 1
            self._reported = self._missed
        else:
            self._counts.delivered += 1
        return item

    async def _be_sure(self) -> None:
        """What is read ahead may have passed to others, when this process slept or the server was away."""
        if self._is_unsure:
            await self._renew(strays=True)
            self._is_unsure, self._next_look = False, 0.0
        elif self._in_hand and monotonic() > self._held_until:
            await self._renew()

    async def _take(self, *, fresh: int = 0, claims: int = 0, seconds: float = 0) -> None:
        asked = monotonic()
        # Until all that it was given is in hand, it may have more than it knows of.
        was_unsure, self._is_unsure = self._is_unsure, True
        taken = await self._connection.take(
            self.group,
            self.name,
            after=self._after,
            fresh=fresh,
            claims=claims,
            idle_ms=self._idle_ms,
            attempts=self._attempts,
            reported=self._reported,
            behind=self._last if fresh else None,
            seconds=seconds,
        )
        if not self._in_hand:
            self._held_until = asked + 0.8 * self._idle_ms / 1000
        if claims and not taken.has_more and not taken.claimed:
            self._next_look = asked + min(self._idle_ms / 4000, _LOOK_AGAIN)
        self._last = taken.last
        self._counts.dead += taken.dead_lettered
        claimed, spoilt = self._decoded(taken.claimed)
        fresh_ones, more_spoilt = self._decoded(taken.fresh)
        self._ready.extendleft(reversed(claimed))
        self._ready.extend(fresh_ones)
        self._note_gap(taken)
        for message_id, reason in spoilt + more_spoilt:
            await self.release(message_id, reason=reason, delay_ms=0, is_final=True)
        self._is_unsure = was_unsure

    def _note_gap(self, taken: TakeReply) -> None:
        known = max(taken.reported, self._missed)
        if taken.is_recreated:
            self._ready.appendleft(MessageGap(channel=self.channel, reason="lost"))
        elif taken.missed > known:
            self._ready.appendleft(MessageGap(channel=self.channel, reason="trimmed", missed=taken.missed - known))
        self._missed = taken.missed
        self._reported = max(self._reported, 0)

    def _decoded(self, messages: Sequence[PendingMessage]) -> tuple[list[Delivery[T]], list[tuple[str, str]]]:
        """Take messages in hand; return those that do not fit the type apart, with the reason."""
        found, spoilt = [], []
        self._counts.received += len(messages)
        for message_id, text, deliveries in messages:
            try:
                value = self._codec.decode(text)
            except PayloadError as error:
                spoilt.append((message_id, str(error)))
                continue
            delivery = self._in_hand[message_id] = Delivery(
                value,
                channel=self.channel,
                message_id=message_id,
                deliveries=deliveries,
                holder=self,
                portal=self._portal,
            )
            found.append(delivery)
        return found, spoilt

    async def _renew(self, *, strays: bool = False) -> None:
        if not self._in_hand and not strays:
            return
        asked = monotonic()
        lost = await durable.renew(
            self._keyspace, self.group, self.name, list(self._in_hand), idle_ms=self._idle_ms, strays=strays
        )
        self._held_until = asked + 0.8 * self._idle_ms / 1000
        for message_id in lost:
            self._in_hand.pop(message_id, None)
        if lost:
            kept = [each for each in self._ready if isinstance(each, MessageGap) or each.id not in lost]
            self._ready = deque(kept)

    async def _send_acks(self, ids: Sequence[str]) -> Sequence[None]:
        await durable.acknowledge(self._keyspace, self.group, ids)
        self._counts.acknowledged += len(ids)
        for message_id in ids:
            self._in_hand.pop(message_id, None)
        return [None] * len(ids)

    def _warn(self, error: ServerError) -> None:
        repeats.warn(_log, f"channel {self.channel} cannot be consumed; trying again", error)

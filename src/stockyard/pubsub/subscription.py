"""One reader of a live channel, with its bounded buffer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Literal, Self, TypeVar, get_args

from stockyard._aio.portal import Portal
from stockyard._aio.reader import Reader
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard.blocking import BlockingSubscription
from stockyard.model import checks
from stockyard.pubsub.hub import Hub
from stockyard.pubsub.message import Message, MessageGap
from stockyard.pubsub.message_codec import MessageCodec
from stockyard.pubsub.stats import Counts

T = TypeVar("T")

Policy = Literal["drop_oldest", "block", "disconnect"]
"""What becomes of a message that a full buffer has no place for.

``"drop_oldest"``: the oldest are dropped, and a ``MessageGap`` says how many. ``"block"``: nothing more is taken
from the server, which keeps it as long as its own limits let it (``client-output-buffer-limit pubsub``).
``"disconnect"``: the subscription ends, after what is in the buffer and a ``MessageGap``.
"""


class Subscription(Reader, Generic[T]):
    """The messages of a live channel from entering to leaving, in order.

    Made by ``OpenChannel.subscribe``:

        async with app.channel(prices).subscribe() as messages:
            async for message in messages:
                match message:
                    case Message(value=price): ...
                    case MessageGap(): ...

    Everything published after entering comes, or a ``MessageGap`` in its place. It reconnects when the server
    is back.

    Raises:
        ServerUnavailable, ServerRefused: on entering, the server cannot be reached within the call timeout, or the
            user may not listen. Afterwards it is tried again until it can.
    """

    def __init__(
        self,
        keyspace: ChannelKeyspace,
        *,
        buffer: int,
        policy: Policy,
        find_hub: Callable[[], Hub],
        codec: MessageCodec[T],
        counts: Counts,
        portal: Portal,
    ) -> None:
        checks.one_of("policy", policy, get_args(Policy))
        super().__init__()
        self.channel: str = keyspace.channel
        self._size = checks.whole("buffer", buffer, least=1)
        self._policy = policy
        self._keyspace = keyspace
        self._find_hub = find_hub
        self._hub: Hub | None = None
        self._codec = codec
        self._counts = counts
        self._portal = portal
        self._buffer: deque[Message[T] | MessageGap] = deque()
        self._dropped = 0
        self._is_countless = False
        self._changed, self._has_room = asyncio.Event(), asyncio.Event()
        self._has_begun = self._is_pressed = self._is_cut_off = False

    @property
    def sync(self) -> BlockingSubscription[T]:
        """This subscription for code without a running loop, with plain ``with`` and ``for``."""
        view: BlockingSubscription[T] = self._portal.blocking(self)
        return view

    async def aclose(self) -> None:
        """End the subscription; what is in the buffer can still be read. Closing twice is fine."""
        self._is_closed = True
        self._changed.set()
        self._has_room.set()
        hub, self._hub = self._hub, None
        if hub is not None:
            await hub.leave(self, self._keyspace)

    async def __aenter__(self) -> Self:
        if self._loop is None:
            self._hub = self._find_hub()
            await self._hub.join(self, self._keyspace, self._codec, self._counts)
            self._loop = asyncio.get_running_loop()
        return self

    async def __anext__(self) -> Message[T] | MessageGap:
        while True:
            if self._dropped or self._is_countless:
                return self._overflown()
            if self._buffer:
                item = self._buffer.popleft()
                if self._is_pressed and len(self._buffer) <= self._size // 2:
                    self._has_room.set()
                if type(item) is MessageGap:
                    self._counts.gaps += 1
                else:
                    self._counts.delivered += 1
                return item
            if self._is_cut_off:
                await self.aclose()
            if self._is_closed:
                raise StopAsyncIteration
            if self._loop is None:
                await self.__aenter__()
            self._changed.clear()
            await self._changed.wait()

    def begin(self) -> None:
        """The channel is listened to from now on; a second time, after it was not for a while."""
        if self._has_begun:
            self._buffer.append(MessageGap(channel=self.channel, reason="reconnected"))
            self._changed.set()
        self._has_begun = True

    def offer(self, messages: Sequence[Message[T]]) -> Sequence[Message[T]]:
        """Take as many as there is room for; return the rest."""
        if self._is_closed or self._is_cut_off or not self._has_begun:
            return ()
        room = max(self._size - len(self._buffer), 0)
        self._buffer.extend(messages[:room])
        self._changed.set()
        return messages[room:]

    async def press(self, messages: Sequence[Message[T]]) -> None:
        """Take the rest, as the policy says; a reader who keeps up has emptied the buffer after one turn."""
        rest = messages
        while rest:
            await asyncio.sleep(0)
            if self._policy == "block":
                await self._wait_for_room()
            elif self._buffer:
                self._overflow(rest)
                return
            rest = self.offer(rest)

    async def _wait_for_room(self) -> None:
        self._is_pressed = True
        while len(self._buffer) >= self._size and not self._is_closed:
            self._has_room.clear()
            await self._has_room.wait()
        self._is_pressed = False

    def _overflow(self, messages: Sequence[Message[T]]) -> None:
        if self._policy == "disconnect":
            self._is_cut_off = True
            self._counts.dropped += len(messages)
            self._buffer.append(MessageGap(channel=self.channel, reason="too slow"))
            return
        kept = messages[-self._size :]
        dropped = len(messages) - len(kept)
        for _ in range(len(self._buffer) + len(kept) - self._size):
            if type(self._buffer.popleft()) is MessageGap:
                # How many are missing there, nobody knows, nor how many are now.
                self._is_countless = True
            else:
                dropped += 1
        self._dropped += dropped
        self._counts.dropped += dropped
        self._buffer.extend(kept)
        self._changed.set()

    def _overflown(self) -> MessageGap:
        missed = None if self._is_countless else self._dropped
        self._dropped, self._is_countless = 0, False
        self._counts.gaps += 1
        return MessageGap(channel=self.channel, reason="overflow", missed=missed)

"""Listens to live channels of a cluster, on one connection to each node, and follows their slots."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Iterable
from typing import Any

from stockyard._aio.retry_delay import RetryDelay
from stockyard._store.channels.broadcast import Broadcast, ReceivedMessages
from stockyard._store.net.cluster import Cluster
from stockyard._store.net.refusals import Redirected
from stockyard._store.net.server import Server
from stockyard.errors import ServerError, ServerUnavailable

_CONNECT_SECONDS = 1.0
"""In which a connection to a node is open; after that, the cluster may say that another one serves."""

_LONGEST_PAUSE = 0.3


class _NodeListener:
    """The channels that are listened to at one node.

    Attributes:
        node: the node.
        broadcast: the connection that they come on.
        channels: their names.
        may_read: set while nothing is waiting that came in before: what is not taken stays at the node.
    """

    def __init__(self, node: Server) -> None:
        self.node = node
        self.broadcast = Broadcast(node.dedicated(None), is_sharded=True)
        self.channels: set[bytes] = set()
        self.may_read = asyncio.Event()
        self.may_read.set()


class ShardedBroadcast:
    """What is published on some channels of a cluster, by their names on it.

    A node that fails, or that a slot leaves, ends its channels alone: they are ``lost``, asked for where the
    cluster says that they are now, and ``begun`` there.

    Args:
        cluster: the cluster.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        # None where it is to be found out where a channel is.
        self._places: dict[bytes, _NodeListener | None] = {}
        self._listeners: dict[Server, _NodeListener] = {}
        self._arrived: deque[tuple[_NodeListener | None, ReceivedMessages]] = deque()
        self._has_arrived = asyncio.Event()
        self._is_placeless = asyncio.Event()
        self._retry_delay = RetryDelay(longest=_LONGEST_PAUSE)
        self._tasks: dict[object, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Begin; nothing is listened to yet, and connections are made as channels are asked for."""
        self.drop()
        self._start(self, self._find_places(), "places of channels")

    def listen(self, channel: bytes) -> None:
        """Ask for a channel; ``hear`` returns when it has begun."""
        self._places[channel] = None
        if not self._place(channel):
            self._is_placeless.set()

    def leave(self, channel: bytes) -> None:
        """Ask for a channel no more."""
        listener = self._places.pop(channel, None)
        if listener is None:
            return
        listener.channels.discard(channel)
        if listener.channels:
            listener.broadcast.leave(channel)
        else:
            self._end(listener)

    async def hear(self) -> ReceivedMessages:
        """Return what came in from any node."""
        while not self._arrived:
            self._has_arrived.clear()
            await self._has_arrived.wait()
        listener, received = self._arrived.popleft()
        if listener is not None:
            listener.may_read.set()
            # Who left meanwhile, or left and came back, has begun when that is answered.
            received.begun = [
                channel
                for channel in received.begun
                if self._places.get(channel) is listener and not listener.broadcast.is_awaited(channel)
            ]
        return received

    def drop(self) -> None:
        """Disconnect at once from all nodes, and forget what was asked for."""
        for of, task in self._tasks.items():
            task.cancel()
            if isinstance(of, _NodeListener):
                of.broadcast.drop()
        self._tasks.clear()
        self._listeners.clear()
        self._places.clear()
        self._arrived.clear()

    async def close(self) -> None:
        """Disconnect from all nodes; closing twice is fine."""
        tasks = list(self._tasks.values())
        self.drop()
        if tasks:
            await asyncio.wait(tasks)

    def _place(self, channel: bytes) -> bool:
        """Ask for a channel at the node that serves it, as far as is known; say whether one is."""
        node = self._cluster.node_of(channel.decode())
        if node is None:
            return False
        listener = self._listeners.get(node)
        if listener is None:
            listener = self._listeners[node] = _NodeListener(node)
            self._start(listener, self._listen_at(listener), "channels of a node")
        self._places[channel] = listener
        listener.channels.add(channel)
        # One that is not connected yet asks for all when it is.
        listener.broadcast.listen(channel)
        return True

    async def _find_places(self) -> None:
        """Ask for channels that have lost their places, or have none yet, where the cluster says that they are."""
        while True:
            await self._is_placeless.wait()
            self._is_placeless.clear()
            refusal: ServerError = ServerUnavailable(
                f"no node of the cluster at {self._cluster.address} serves the channel's slot now"
            )
            try:
                await self._cluster.look(time.monotonic() + self._cluster.call_timeout)
            except ServerUnavailable as error:
                refusal = error
            placeless = [channel for channel, listener in self._places.items() if listener is None]
            self._lose([channel for channel in placeless if not self._place(channel)], refusal)
            await self._retry_delay.wait()

    async def _listen_at(self, listener: _NodeListener) -> None:
        broadcast = listener.broadcast
        try:
            await broadcast.open(_CONNECT_SECONDS)
            await broadcast.check_role(_CONNECT_SECONDS)
            for channel in listener.channels:
                broadcast.listen(channel)
            while listener.channels:
                await listener.may_read.wait()
                received = await broadcast.hear()
                self._note_moves(listener, received)
                self._hand_over(received, listener)
        except ServerError as error:
            self._lose(listener.channels, error)
        finally:
            self._forget(listener)
            await broadcast.close()

    def _note_moves(self, listener: _NodeListener, received: ReceivedMessages) -> None:
        """Take the channels that are at another node from this one's."""
        if received.lost:
            # It may be a replica now, which is found out when a connection to it is made.
            self._retire(listener)
        for channel, error in received.refused:
            if isinstance(error, Redirected):
                self._cluster.note(error)
            if isinstance(error, ServerUnavailable):
                received.lost.append((channel, error))
        received.refused = [
            (channel, error) for channel, error in received.refused if not isinstance(error, ServerUnavailable)
        ]
        for channel, _ in received.lost:
            listener.channels.discard(channel)
            if self._places.get(channel) is listener:
                self._places[channel] = None
                self._is_placeless.set()
        if received.begun:
            self._retry_delay.reset()

    def _lose(self, channels: Iterable[bytes], error: ServerError) -> None:
        received = ReceivedMessages()
        received.lost = [(channel, error) for channel in channels if channel in self._places]
        for channel, _ in received.lost:
            self._places[channel] = None
        if received:
            self._is_placeless.set()
            self._hand_over(received, None)

    def _hand_over(self, received: ReceivedMessages, listener: _NodeListener | None) -> None:
        if received:
            if listener is not None:
                listener.may_read.clear()
            self._arrived.append((listener, received))
            self._has_arrived.set()

    def _start(self, of: object, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks[of] = asyncio.create_task(coroutine, name=name)

    def _end(self, listener: _NodeListener) -> None:
        if (task := self._tasks.get(listener)) is not None:
            task.cancel()
        listener.broadcast.drop()
        self._forget(listener)

    def _forget(self, listener: _NodeListener) -> None:
        self._tasks.pop(listener, None)
        self._retire(listener)

    def _retire(self, listener: _NodeListener) -> None:
        """Give it no more channels; those that it has stay."""
        if self._listeners.get(listener.node) is listener:
            del self._listeners[listener.node]

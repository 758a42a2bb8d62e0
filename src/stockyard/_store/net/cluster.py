"""A cluster as a whole: a server per node, and connections that find the node of their keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Any

from stockyard._store.net.cluster_calls import CONNECT_TIMEOUT, ClusterCalls, one_by_one
from stockyard._store.net.locator import Connect, Locator
from stockyard._store.net.refusals import Redirected, leads_astray
from stockyard._store.net.server import Server
from stockyard._store.net.slot_map import UNKNOWN_HOST, Node
from stockyard._store.net.slots import slot_of
from stockyard._store.net.watch import Watch
from stockyard._store.server_clock import ServerClock
from stockyard.config import Address
from stockyard.errors import ServerUnavailable
from stockyard.model.clock import Clock, system_clock


class Cluster(ClusterCalls, Server):
    """A Redis or Valkey cluster.

    Args:
        address, call_timeout, clock: those of ``Server``.
    """

    def __init__(self, address: Address, *, call_timeout: float = 5.0, clock: Clock = system_clock) -> None:
        super().__init__(address, call_timeout=call_timeout)
        self.clock = ServerClock(clock)
        self._nodes: dict[Node, Server] = {}

    async def aclose(self) -> None:
        # First: its looks would open connections again.
        await self._close_watch()
        for node in list(self._nodes.values()):
            await node.aclose()
        await super().aclose()

    def close(self) -> None:
        for node in list(self._nodes.values()):
            node.close()
        super().close()

    def serves(self, key: str | None, place: Address) -> bool:
        """Say whether a node is the one of a key, as far as is known; without a key, any node is."""
        if key is None:
            return True
        node = self._slots.node_of(slot_of(key))
        return node is None or node == (place.host, place.port)

    def node_of(self, key: str) -> Server | None:
        """Return the node that serves a key, as far as is known without asking."""
        node = self._slots.node_of(slot_of(key))
        return None if node is None else self._calls_on(node)

    def has_lost(self, place: Address) -> bool:
        """Say whether a node served slots and serves none any more, as far as is known."""
        return (place.host, place.port) in self._slots.former

    @property
    def _is_unwatched(self) -> bool:
        return asyncio._get_running_loop() is None

    def _locator_of(self, key: str | None) -> Locator:
        return _NodeLocator(self, key)

    def _new_watch(self) -> Watch:
        return _ClusterWatch(self)

    def _calls_on(self, node: Node) -> Server:
        found = self._nodes.get(node)
        if found is None:
            made = Server(
                self.address.at(*node),
                call_timeout=self.call_timeout,
                connect_timeout=CONNECT_TIMEOUT,
                locator=_OneNode(self, self.address.at(*node)),
                on_open=self.watch,
            )
            # One step, as several threads may come first.
            found = self._nodes.setdefault(node, made)
        return found

    async def _pause(self, seconds: float) -> None:
        if asyncio._get_running_loop() is None:
            time.sleep(seconds)  # noqa: ASYNC251
        else:
            await asyncio.sleep(seconds)

    async def _all(self, calls: Sequence[Awaitable[list[Any]]]) -> list[list[Any] | BaseException]:
        if asyncio._get_running_loop() is None:
            return await one_by_one(calls)
        return await asyncio.gather(*calls, return_exceptions=True)


class _ClusterWatch(Watch):
    """Watches the connections to the nodes of a cluster.

    Args:
        cluster: the cluster.
    """

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster

    async def _look(self) -> None:
        await self._cluster.look(time.monotonic() + self._cluster.call_timeout)

    async def _disconnect(self) -> None:
        """Do nothing: its looks use the nodes' connections."""


class _NodeLocator(Locator):
    """The node that serves a key, or any node."""

    def __init__(self, cluster: Cluster, key: str | None) -> None:
        self._cluster = cluster
        self._key = key
        # Where it leads; where a node says that the slot is being moved to, and that place once it leads there.
        self._place: Address | None = None
        self._named: Address | None = None
        self._taker: Address | None = None

    @property
    def is_asking(self) -> bool:
        return self._taker is not None and not self._cluster.serves(self._key, self._taker)

    def lead_to(self, node: Node) -> bool:
        if node.host == UNKNOWN_HOST:
            return False
        self._named = self._cluster.address.at(*node)
        return True

    async def locate(self, connect: Connect) -> Address:
        # Once: should it not be there, the cluster is asked again.
        self._taker, self._named = self._named, None
        self._place = self._taker or await self._cluster.place_now(self._key)
        return self._place

    def is_current(self, place: Address) -> bool:
        if self._cluster.serves(self._key, place):
            # What took the keys over has them now, and may lose them like any other node.
            self._taker = None
            return True
        return place == self._taker

    def note_refusal(self, refusal: ServerUnavailable) -> bool:
        if isinstance(refusal, Redirected):
            self._cluster.note(refusal)
        elif self._place is not None and leads_astray(refusal):
            self._cluster.doubt(Node(self._place.host, self._place.port))
        return True


class _OneNode(Locator):
    """A certain node; others have its place once it has lost its slots."""

    def __init__(self, cluster: Cluster, place: Address) -> None:
        self._cluster = cluster
        self._place = place

    async def locate(self, connect: Connect) -> Address:
        return self._place

    def is_current(self, place: Address) -> bool:
        return not self._cluster.has_lost(place)

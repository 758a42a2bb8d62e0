"""A cluster as a whole: a server per node, and connections that find the node of their keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Any

from stockyard._store.net.cluster_calls import CONNECT_TIMEOUT, ClusterCalls, one_by_one
from stockyard._store.net.dedicated import DedicatedConnection
from stockyard._store.net.locator import Connect, Locator
from stockyard._store.net.refusals import Redirected
from stockyard._store.net.server import Server
from stockyard._store.net.slot_map import Node
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
        for node in list(self._nodes.values()):
            await node.aclose()
        await super().aclose()

    def close(self) -> None:
        for node in list(self._nodes.values()):
            node.close()
        super().close()

    def dedicated(
        self,
        key: str | None,
        *,
        client_name: str | None = None,
        reads_text: bool = False,
        closes_with_server: bool = False,
    ) -> DedicatedConnection:
        return self._dedicated(
            _NodeLocator(self, key),
            client_name=client_name,
            reads_text=reads_text,
            closes_with_server=closes_with_server,
        )

    def _calls_on(self, node: Node) -> Server:
        found = self._nodes.get(node)
        if found is None:
            made = Server(self.address.at(*node), call_timeout=self.call_timeout, connect_timeout=CONNECT_TIMEOUT)
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


class _NodeLocator(Locator):
    """The node that serves a key, or any node."""

    def __init__(self, cluster: Cluster, key: str | None) -> None:
        self._cluster = cluster
        self._key = key

    async def locate(self, connect: Connect) -> Address:
        return await self._cluster.place_now(self._key)

    def note_refusal(self, refusal: ServerUnavailable) -> bool:
        if isinstance(refusal, Redirected):
            self._cluster.note(refusal)
        return True

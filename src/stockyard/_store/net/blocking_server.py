"""A server for a process without a loop: its calls wait in the calling thread."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Sequence
from typing import Any

from stockyard._store.net.blocking_pool import BlockingPool
from stockyard._store.net.cluster_calls import CONNECT_TIMEOUT, ClusterCalls, one_by_one
from stockyard._store.net.sentinels import Sentinels
from stockyard._store.net.server_calls import ServerCalls
from stockyard._store.net.slot_map import Node
from stockyard.config import Address


class BlockingServer(ServerCalls):
    """Its coroutines never suspend: ``run_to_end`` runs them.

    Args:
        address, call_timeout: those of ``ServerCalls``.
        connect_timeout: seconds in which a connection must be open. Defaults to those of the call.
    """

    def __init__(self, address: Address, *, call_timeout: float, connect_timeout: float = math.inf) -> None:
        super().__init__(address, call_timeout=call_timeout)
        locator = Sentinels(address) if address.kind == "sentinel" else None
        self._connections = BlockingPool(address, locator=locator, connect_timeout=connect_timeout)

    def _pool(self) -> BlockingPool:
        return self._connections


class BlockingCluster(ClusterCalls):
    """The same for a cluster.

    Args:
        address, call_timeout: those of ``ServerCalls``.
    """

    def __init__(self, address: Address, *, call_timeout: float) -> None:
        super().__init__(address, call_timeout=call_timeout)
        self._nodes: dict[Node, BlockingServer] = {}

    @property
    def _is_unwatched(self) -> bool:
        return True

    def _calls_on(self, node: Node) -> BlockingServer:
        if node not in self._nodes:
            self._nodes[node] = BlockingServer(
                self.address.at(*node), call_timeout=self.call_timeout, connect_timeout=CONNECT_TIMEOUT
            )
        return self._nodes[node]

    async def _pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251

    async def _all(self, calls: Sequence[Awaitable[list[Any]]]) -> list[list[Any] | BaseException]:
        return await one_by_one(calls)

    def _pool(self) -> BlockingPool:
        raise AssertionError("the connections of a cluster are those of its nodes")


def blocking_server_at(address: Address, *, call_timeout: float) -> ServerCalls:
    """Return what runs calls on the server, the Sentinel set or the cluster at an address."""
    kind = BlockingCluster if address.kind == "cluster" else BlockingServer
    return kind(address, call_timeout=call_timeout)

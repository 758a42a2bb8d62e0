"""A server for a process without a loop: its calls wait in the calling thread."""

from __future__ import annotations

from stockyard._store.net.blocking_pool import BlockingPool
from stockyard._store.net.server_calls import ServerCalls
from stockyard.config import Address


class BlockingServer(ServerCalls):
    """Its coroutines never suspend: ``run_to_end`` runs them.

    Args:
        address, call_timeout: those of ``ServerCalls``.
    """

    def __init__(self, address: Address, *, call_timeout: float) -> None:
        super().__init__(address, call_timeout=call_timeout)
        self._connections = BlockingPool(address)

    def _pool(self) -> BlockingPool:
        return self._connections

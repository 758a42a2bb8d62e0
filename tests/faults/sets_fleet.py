"""A fleet on a Sentinel set or a cluster."""

import redis

from stockyard.embedded.layout import SetKind
from stockyard.model.durability import Durability
from stockyard.model.naming import Naming
from tests.faults.fleet import PREFIX, Fleet
from tests.support.sets import ClusterSet, Node, SentinelSet, ServerSet

_RATE = 20


class SetFleet(Fleet):
    """A fleet on a set of servers of its own; Node reaches that by ioredis's Sentinel or Cluster.

    Args:
        kind: of the set.
        durability: that of ``Fleet``.

    Attributes:
        servers: the set.
    """

    def __init__(self, kind: SetKind, *, durability: Durability | None = None) -> None:
        naming = Naming(PREFIX, "family" if kind == "cluster" else None)
        super().__init__(naming, rate=_RATE, durability=durability)
        self._kind = kind
        self.servers: ServerSet

    @property
    def primary(self) -> Node:
        """The node that has the queue now."""
        return self.servers.primary_of(self.base)

    def url(self, role: str, *, node: bool) -> str:
        return self.servers.url

    def client(self) -> "redis.Redis":
        return self.servers.client(self.primary)

    async def _start_servers(self) -> None:
        data = self.folder / "set"
        self.servers = ClusterSet(data) if self._kind == "cluster" else SentinelSet(data)
        self._ending.callback(self.servers.stop)
        # Not in another thread: the processes would end with that.
        self.servers.start()

"""Chooses how live channels are listened to: on one connection, or on one to each node of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stockyard._store.channels.broadcast import Broadcast
from stockyard._store.net.server import Server

if TYPE_CHECKING:
    from stockyard._store.channels.sharded_broadcast import ShardedBroadcast


def broadcast_at(server: Server) -> Broadcast | ShardedBroadcast:
    """Return what listens to live channels of a server, a Sentinel set or a cluster; not open yet."""
    if server.address.kind != "cluster":
        return Broadcast(server.dedicated(None))
    # Imported late: few processes need it.
    from stockyard._store.channels.sharded_broadcast import ShardedBroadcast
    from stockyard._store.net.cluster import Cluster

    assert isinstance(server, Cluster)
    return ShardedBroadcast(server)

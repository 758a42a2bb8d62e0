"""Chooses what runs calls on an address: a server, a Sentinel set or a cluster."""

from __future__ import annotations

from stockyard._store.net.server import Server
from stockyard.config import Address
from stockyard.model.clock import Clock, system_clock


def server_at(address: Address, *, call_timeout: float = 5.0, clock: Clock = system_clock) -> Server:
    """Return what runs calls on the server, the Sentinel set or the cluster at an address."""
    if address.kind != "cluster":
        return Server(address, call_timeout=call_timeout, clock=clock)
    # Imported late: few processes need it.
    from stockyard._store.net.cluster import Cluster

    return Cluster(address, call_timeout=call_timeout, clock=clock)

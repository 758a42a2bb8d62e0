"""Moves slots of a real cluster between its nodes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.sets import ClusterSet, Node
from tests.support.waiting import eventually


@asynccontextmanager
async def migrate(servers: ClusterSet, key: str, old: Node, new: Node) -> AsyncIterator[None]:
    """Move the slot of a key in one step, behind the block."""
    yield
    with servers.client(old) as here, servers.client(new) as there:
        slot = here.execute_command("CLUSTER", "KEYSLOT", key)
        target = there.execute_command("CLUSTER", "MYID")
        here.execute_command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target)
    await eventually(lambda: servers.primary_of(key) == new, within=30, every=0.05)


@asynccontextmanager
async def move_key_by_key(servers: ClusterSet, key: str, old: Node, new: Node) -> AsyncIterator[None]:
    """Move the slot of a key as servers before Valkey 9 do; in the block it is on both nodes, its keys moved."""
    with servers.client(old) as here, servers.client(new) as there:
        slot = here.execute_command("CLUSTER", "KEYSLOT", key)
        source, target = (client.execute_command("CLUSTER", "MYID") for client in (here, there))
        there.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", source)
        here.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", target)
        while keys := here.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            here.execute_command("MIGRATE", new.host, new.port, "", 0, 5000, "KEYS", *keys)
        yield
        for client in (there, here):
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target)
    await eventually(lambda: servers.primary_of(key) == new, within=30, every=0.05)


def replica_of(servers: ClusterSet, primary: Node) -> Node:
    """Return the replica of a primary."""
    for node in servers.nodes:
        with servers.client(node) as client:
            if str(client.info("replication").get("master_port", "")) == str(primary.port):
                return node
    raise AssertionError(f"nobody follows {primary}")

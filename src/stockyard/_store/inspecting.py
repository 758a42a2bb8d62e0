"""Reads what a server says of itself: version, memory, persistence, role, replicas, clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from stockyard._store.net.server import Server
from stockyard._store.net.server_calls import ServerCalls
from stockyard._wire.keys import QueueKeys
from stockyard.errors import ServerError, ServerRefused
from stockyard.model.naming import Naming

_SECTIONS = ("server", "memory", "persistence", "stats", "replication", "cluster", "clients")


class ReplicaFacts(NamedTuple):
    """A replica as its primary sees it; one whose link is down, its primary does not name.

    Attributes:
        name: host and port.
        is_online: whether it has all data and follows.
        lag_seconds: since it last answered.
        behind_bytes: written by the primary, and not confirmed by the replica.
    """

    name: str
    is_online: bool
    lag_seconds: int
    behind_bytes: int


class ServerFacts(NamedTuple):
    """A server at one moment; None where it hides a fact.

    Attributes:
        url: its address, the password masked.
        node: host and port of a node of a cluster; empty for a server that is the only one to ask.
        product: ``redis`` or ``valkey``.
        version: as it names itself, for Valkey its own number.
        policy: ``maxmemory-policy``.
        maxmemory, used_memory: bytes; a maxmemory of 0 is no limit.
        evicted: keys evicted since it started.
        appendonly: whether it writes an append-only file.
        persistence_error: what its last write to disk failed with, or empty.
        delayed_fsync: how often since it started the disk was too slow for the append-only file.
        recent_delayed_fsync: how often in the last minutes, as far as the process that watches saw.
        role: ``master`` or ``replica``.
        replicas: those that are connected.
        requires_replicas: whether it refuses writes while too few replicas follow (``min-replicas-to-write``).
        is_cluster: whether it is a node of a cluster.
        clients, maxclients: connections, and how many it allows.
        skew_ms: how far this machine's clock is ahead of the server's.
        round_trip_ms: time of one call.
        hidden: its refusals, in its own words.
    """

    url: str
    node: str = ""
    product: str | None = None
    version: str | None = None
    policy: str | None = None
    maxmemory: int | None = None
    used_memory: int | None = None
    evicted: int | None = None
    appendonly: bool | None = None
    persistence_error: str = ""
    delayed_fsync: int | None = None
    recent_delayed_fsync: int = 0
    role: str | None = None
    replicas: tuple[ReplicaFacts, ...] | None = None
    requires_replicas: bool | None = None
    is_cluster: bool | None = None
    clients: int | None = None
    maxclients: int | None = None
    skew_ms: int | None = None
    round_trip_ms: float = 0.0
    hidden: str = ""


async def read_server(server: ServerCalls) -> ServerFacts:
    """Ask the server about itself; what it refuses is left out, with its words in ``hidden``.

    Raises:
        ServerUnavailable, ReplyLost: it does not answer.
    """
    await server.ask([("PING",)])
    before, started = time.time(), time.perf_counter()
    (clock,) = await server.ask([("TIME",)])
    round_trip, after = time.perf_counter() - started, time.time()
    skew = None
    if not isinstance(clock, ServerRefused):
        skew = round(((before + after) / 2 - int(clock[0]) - int(clock[1]) / 1e6) * 1000)
    # One section a call: servers before 7 take no more than one.
    replies = await server.ask([("INFO", section) for section in _SECTIONS])
    refused = next((str(reply) for reply in replies if isinstance(reply, ServerRefused)), "")
    info = parsed(b"".join(reply for reply in replies if isinstance(reply, bytes)).decode(errors="replace"))
    return _facts(str(server.address), info)._replace(
        skew_ms=skew, round_trip_ms=round_trip * 1000, hidden=refused
    )


async def read_primaries(server: Server) -> list[ServerFacts]:
    """Ask every primary of a cluster about itself, all at once; one that is away is left out.

    Raises:
        ServerUnavailable: no node of the cluster says which there are.
    """
    found = await asyncio.gather(*map(_read_node, await server.primaries()))
    return [facts for facts in found if facts is not None]


async def _read_node(node: ServerCalls) -> ServerFacts | None:
    try:
        (reply,) = await node.ask_once([("INFO",)], timeout=node.call_timeout)
    except ServerError:
        return None
    return facts_of_info(str(node.address), reply)._replace(node=node_name(node))


async def read_event_streams(node: ServerCalls, naming: Naming, queues: Sequence[str]) -> dict[str, int]:
    """Return how many bytes the event streams of queues take, by the server's estimate, if it gives one.

    Those that another node of a cluster has are left out.
    """
    keys = [QueueKeys(naming, queue)["events"] for queue in queues]
    commands = [("MEMORY", "USAGE", key) for key in keys]
    sizes = await node.ask_once(commands, timeout=node.call_timeout) if keys else []
    return {queue: size for queue, size in zip(queues, sizes, strict=True) if isinstance(size, int)}


def facts_of_info(url: str, reply: Any) -> ServerFacts:
    """Read the reply to ``INFO``; a refused one has no facts."""
    if isinstance(reply, ServerError):
        return ServerFacts(url, hidden=str(reply))
    return _facts(url, parsed(reply.decode(errors="replace")))


def node_name(node: ServerCalls) -> str:
    """Return host and port of a node."""
    return f"{node.address.host}:{node.address.port}"


def parsed(text: str) -> dict[str, str]:
    """Return the values of a reply to ``INFO`` by their names."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))
    return {name: value.strip() for name, value in pairs}


def _facts(url: str, info: dict[str, str]) -> ServerFacts:
    def number(name: str) -> int | None:
        text = info.get(name, "")
        return int(text) if text.isdecimal() else None

    appendonly = info.get("aof_enabled")
    role = info.get("role")
    cluster = info.get("cluster_enabled")
    return ServerFacts(
        url,
        product="valkey" if "valkey_version" in info else "redis" if "redis_version" in info else None,
        version=info.get("valkey_version") or info.get("redis_version"),
        policy=info.get("maxmemory_policy"),
        maxmemory=number("maxmemory"),
        used_memory=number("used_memory"),
        evicted=number("evicted_keys"),
        appendonly=None if appendonly is None else appendonly == "1",
        persistence_error=_persistence_error(info),
        delayed_fsync=number("aof_delayed_fsync"),
        role="replica" if role in ("slave", "replica") else role,
        replicas=_replicas(info) if "connected_slaves" in info else None,
        # It counts the replicas that are good enough where it asks for some, and else says nothing of them.
        requires_replicas="min_slaves_good_slaves" in info if "connected_slaves" in info else None,
        is_cluster=None if cluster is None else cluster == "1",
        clients=number("connected_clients"),
        maxclients=number("maxclients"),
    )


def _replicas(info: dict[str, str]) -> tuple[ReplicaFacts, ...]:
    written = int(info.get("master_repl_offset", "0"))
    found = []
    for name, text in info.items():
        if name.startswith("slave") and name[5:].isdecimal():
            replica = dict(part.partition("=")[::2] for part in text.split(","))
            found.append(
                ReplicaFacts(
                    f"{replica.get('ip', '?')}:{replica.get('port', '?')}",
                    is_online=replica.get("state") == "online",
                    lag_seconds=int(replica.get("lag", "0")),
                    behind_bytes=max(written - int(replica.get("offset", "0")), 0),
                )
            )
    return tuple(found)


def _persistence_error(info: dict[str, str]) -> str:
    failed = [
        name
        for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
        if info.get(name, "ok") != "ok"
    ]
    return ", ".join(f"{name}: {info[name]}" for name in failed)

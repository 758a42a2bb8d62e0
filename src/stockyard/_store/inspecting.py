"""Reads what a server says of itself: version, memory, persistence, role, clock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from stockyard._store.net.server import Server
from stockyard._store.net.server_calls import ServerCalls
from stockyard._wire.keys import QueueKeys
from stockyard.errors import ServerRefused
from stockyard.model.naming import Naming

_SECTIONS = ("server", "memory", "persistence", "stats", "replication", "cluster", "clients")


class ServerFacts(NamedTuple):
    """A server at one moment; None where it hides a fact.

    Attributes:
        url: its address, the password masked.
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
        is_cluster: whether it is a node of a cluster.
        clients, maxclients: connections, and how many it allows.
        skew_ms: how far this machine's clock is ahead of the server's.
        round_trip_ms: time of one call.
        hidden: its refusals, in its own words.
    """

    url: str
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
    info = _parsed(b"".join(reply for reply in replies if isinstance(reply, bytes)).decode(errors="replace"))
    return _facts(str(server.address), info)._replace(
        skew_ms=skew, round_trip_ms=round_trip * 1000, hidden=refused
    )


async def read_event_streams(server: Server, naming: Naming, queues: Sequence[str]) -> dict[str, int]:
    """Return how many bytes the event streams of queues take, by the server's estimate, if it gives one."""
    keys = [QueueKeys(naming, queue)["events"] for queue in queues]
    sizes = await server.ask([("MEMORY", "USAGE", key) for key in keys]) if keys else []
    return {queue: size for queue, size in zip(queues, sizes, strict=True) if isinstance(size, int)}


def facts_of_info(url: str, reply: Any) -> ServerFacts:
    """Read the reply to ``INFO``; a refused one has no facts."""
    if isinstance(reply, ServerRefused):
        return ServerFacts(url, hidden=str(reply))
    return _facts(url, _parsed(reply.decode(errors="replace")))


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
        is_cluster=None if cluster is None else cluster == "1",
        clients=number("connected_clients"),
        maxclients=number("maxclients"),
    )


def _persistence_error(info: dict[str, str]) -> str:
    failed = [
        name
        for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
        if info.get(name, "ok") != "ok"
    ]
    return ", ".join(f"{name}: {info[name]}" for name in failed)


def _parsed(text: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))
    return {name: value.strip() for name, value in pairs}

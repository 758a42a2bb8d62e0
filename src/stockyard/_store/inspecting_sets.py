"""Reads what Sentinels and nodes of a cluster say of each other: who watches, who follows, who has which slots."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from stockyard._store.inspecting import node_name, parsed
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.async_connection import AsyncConnection
from stockyard._store.net.server_calls import ServerCalls
from stockyard._store.net.slots import SLOTS, slot_of
from stockyard._wire.keys import QueueKeys
from stockyard._wire.own_keys import CacheKeys
from stockyard.config import Address
from stockyard.errors import ServerError
from stockyard.model.naming import Naming

_SENTINEL_SECONDS = 1.0
_BUSIEST = 100
"""Slots of a node that are asked for: all of them would be thousands of records."""


class SentinelFacts(NamedTuple):
    """What one Sentinel says of the primary that it watches.

    Attributes:
        name: host and port of the Sentinel.
        failure: why it says nothing; empty when it answers.
        forbidden: what it may not be asked by this user, as in ``SENTINEL MASTER``; empty when nothing is.
        primary: host and port of the primary.
        quorum: Sentinels that must agree that the primary is away.
        others: other Sentinels that it knows.
        replicas: replicas that it knows, connected or not.
        down_after_ms: silence after which it takes the primary for away.
        quorum_problem: why no failover is possible now; empty when one is.
    """

    name: str
    failure: str = ""
    forbidden: str = ""
    primary: str = ""
    quorum: int = 0
    others: int = 0
    replicas: int = 0
    down_after_ms: int = 0
    quorum_problem: str = ""


class ClusterFacts(NamedTuple):
    """The members of a cluster, as one node sees them.

    Attributes:
        unserved: slots that no working primary serves.
        replicas: nodes that are to follow a primary, working or not.
        failed: host and port of the nodes that the cluster takes for away.
        hidden: why the node does not say so; empty when it does.
    """

    unserved: int = 0
    replicas: int = 0
    failed: tuple[str, ...] = ()
    hidden: str = ""


class SlotLoad(NamedTuple):
    """What the slots of one node cost it, since it started or got them, or since CONFIG RESETSTAT.

    Attributes:
        node: host and port.
        uptime_seconds: since it started.
        busiest: number and microseconds of processor time of the slots that cost most; the first costs most.
    """

    node: str
    uptime_seconds: int
    busiest: tuple[tuple[int, int], ...]


class QueuePlace(NamedTuple):
    """Where a queue, or one of its shards, is in a cluster.

    Attributes:
        queue: its name.
        slot: that its keys are in.
        node: host and port of the primary that serves the slot now.
    """

    queue: str
    slot: int
    node: str


async def read_places(queues: Sequence[QueueKeyspace]) -> list[QueuePlace]:
    """Return where queues are, by what is known of the cluster here.

    Raises:
        ServerUnavailable: no node says who serves a slot.
    """
    return [
        QueuePlace(each.shard_queue, slot_of(each.keys["meta"]), node_name(await each.holder())) for each in queues
    ]


async def read_sentinels(address: Address) -> list[SentinelFacts]:
    """Ask every Sentinel of a set at once."""
    return await asyncio.gather(*(_read_sentinel(each, address.service) for each in address.sentinels()))


async def read_cluster(node: ServerCalls) -> ClusterFacts:
    """Ask a node who the members of its cluster are.

    Raises:
        ServerUnavailable, ReplyLost: it does not answer.
    """
    (reply,) = await node.ask_once([("CLUSTER", "NODES")], timeout=node.call_timeout)
    if isinstance(reply, Exception):
        return ClusterFacts(hidden=str(reply))
    return cluster_facts(reply.decode(errors="replace"))


def cluster_facts(text: str) -> ClusterFacts:
    """Read a reply to ``CLUSTER NODES``: a line for each node, flags third, slots from the ninth word on."""
    served, replicas, failed = 0, 0, []
    for line in text.splitlines():
        _, address, flag_text, _, _, _, _, _, *slots = line.split()
        flags = flag_text.split(",")
        has_failed = "fail" in flags
        if has_failed:
            failed.append(address.partition("@")[0])
        if "slave" in flags:
            replicas += 1
        elif not has_failed:
            served += sum(map(_size, slots))
    return ClusterFacts(SLOTS - served, replicas, tuple(failed))


async def read_slot_load(node: ServerCalls) -> SlotLoad | None:
    """Ask a node for the slots that cost it most; None where it does not count that.

    Raises:
        ServerUnavailable, ReplyLost: it does not answer.
    """
    load, info = await node.ask_once(
        [("CLUSTER", "SLOT-STATS", "ORDERBY", "CPU-USEC", "LIMIT", _BUSIEST, "DESC"), ("INFO", "server")],
        timeout=node.call_timeout,
    )
    if not isinstance(load, list) or not isinstance(info, bytes):
        return None
    uptime = int(parsed(info.decode(errors="replace")).get("uptime_in_seconds", "0"))
    return SlotLoad(node_name(node), uptime, tuple((int(slot), _microseconds(costs)) for slot, costs in load))


async def read_untagged(nodes: Iterable[ServerCalls], naming: Naming, queues: Sequence[str]) -> dict[str, str]:
    """Return a key without a hash tag of each queue that has some, as programs write them that use no tags.

    Args:
        nodes: the primaries of a cluster.
        naming: how this platform spells keys.
        queues: names of its queues.

    Raises:
        ServerUnavailable, ReplyLost: a node does not answer.
    """
    plain = Naming(naming.prefix)
    suspects = [queue for queue in queues if plain.place(queue) != naming.place(queue)]
    # The first is written by a Queue of BullMQ, the second by each program that adds a job.
    keys = {QueueKeys(plain, queue)[name]: queue for queue in suspects for name in ("meta", "counter")}
    found: dict[str, str] = {}
    if not keys:
        return found
    for node in nodes:
        replies = await node.ask_once([("EXISTS", key) for key in keys], timeout=node.call_timeout)
        # Of a key that another node would have, a node says just that.
        for (key, queue), exists in zip(keys.items(), replies, strict=True):
            if exists == 1:
                found.setdefault(queue, key)
    return found


def names_by_slot(naming: Naming, queues: Sequence[str]) -> dict[int, list[str]]:
    """Return what a platform keeps in a slot, in words, for each slot that its queues or caches are in."""
    names: dict[int, list[str]] = {}
    for queue in queues:
        names.setdefault(slot_of(QueueKeys(naming, queue)["meta"]), []).append(f"queue {queue!r}")
    names.setdefault(slot_of(CacheKeys(naming).totals), []).append("the caches")
    return names


async def _read_sentinel(address: Address, service: str) -> SentinelFacts:
    connection = AsyncConnection(address)
    name = f"{address.host}:{address.port}"
    try:
        await connection.open(_SENTINEL_SECONDS)
        commands = [("SENTINEL", "MASTER", service), ("SENTINEL", "CKQUORUM", service)]
        flat, quorum = await connection.ask(commands, _SENTINEL_SECONDS)
    except ServerError as error:
        return SentinelFacts(name, failure=str(error))
    finally:
        await connection.close()
    if not isinstance(flat, list):
        return SentinelFacts(name, failure=str(flat), forbidden="SENTINEL MASTER" if _is_forbidden(flat) else "")
    facts = {_text(field): _text(value) for field, value in zip(flat[::2], flat[1::2], strict=True)}
    return SentinelFacts(
        name,
        forbidden="SENTINEL CKQUORUM" if _is_forbidden(quorum) else "",
        primary=f"{facts.get('ip')}:{facts.get('port')}",
        quorum=int(facts.get("quorum", "0")),
        others=int(facts.get("num-other-sentinels", "0")),
        replicas=int(facts.get("num-slaves", "0")),
        down_after_ms=int(facts.get("down-after-milliseconds", "0")),
        quorum_problem=str(quorum) if isinstance(quorum, Exception) and not _is_forbidden(quorum) else "",
    )


def _is_forbidden(reply: Any) -> bool:
    return isinstance(reply, ServerError) and str(reply).startswith("NOPERM")


def _size(slots: str) -> int:
    """Return how many slots a part of a line stands for: ``7``, ``0-5460``; none for one that is being moved."""
    if slots.startswith("["):
        return 0
    first, _, last = slots.partition("-")
    return int(last or first) - int(first) + 1


def _microseconds(costs: Any) -> int:
    facts = {_text(name): value for name, value in zip(costs[::2], costs[1::2], strict=True)}
    return int(facts.get("cpu-usec", 0))


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

"""Judges what servers are together: whether a failure would be noticed and survived, and how work is spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stockyard._store.inspecting import ReplicaFacts, ServerFacts
from stockyard._store.inspecting_sets import (
    ClusterFacts,
    SentinelFacts,
    SlotLoad,
    names_by_slot,
    read_cluster,
    read_sentinels,
    read_slot_load,
    read_untagged,
)
from stockyard._store.net.server import Server
from stockyard._store.net.server_calls import ServerCalls
from stockyard.model.naming import Naming
from stockyard.model.sharding import shards_of
from stockyard.observe.doctor.finding import Finding, danger, hidden, ok, warning
from stockyard.topology import QueueSpec

QUEUE = "queue "
"""What the checks of queues begin with; their names follow."""

_HASTY_MS = 1000
_LAG_SECONDS = 10
_BEHIND_BYTES = 16 * 2**20
_APART_MS = 1000
_HOT_SHARE, _BUSY_SHARE = 0.5, 0.05
"""Of the processor time of a node's slots, and of its whole uptime: below that, nobody waits for a slot."""


async def check_set(
    server: Server,
    primaries: Sequence[ServerCalls],
    facts: Sequence[ServerFacts],
    *,
    naming: Naming,
    queues: Sequence[QueueSpec],
) -> list[Finding]:
    """Ask the Sentinels, or the nodes of a cluster, about each other; a single server is asked nothing.

    Args:
        server: the set.
        primaries: those that answer.
        facts: what each of them says of itself.
        naming: how keys are spelled.
        queues: the declared queues.

    Raises:
        ServerUnavailable, ReplyLost: a primary does not answer any more.
    """
    durability = judge_durability(facts, queues)
    kind = server.address.kind
    if kind == "sentinel":
        sentinels = await read_sentinels(server.address)
        known = max((each.replicas for each in sentinels), default=0)
        return [*durability, *judge_replication(facts, known), *judge_sentinels(sentinels)]
    if kind == "server":
        return [*durability, *(judge_replication(facts, 0) if any(each.replicas for each in facts) else [])]
    cluster = await read_cluster(primaries[0])
    names = [name for spec in queues for name in _names_of(spec, naming)]
    untagged = await read_untagged(primaries, naming, names)
    loads = [await read_slot_load(node) for node in primaries]
    return [
        *durability,
        *judge_replication(facts, cluster.replicas),
        judge_slots(cluster),
        judge_clocks(facts),
        judge_load([load for load in loads if load is not None], names_by_slot(naming, names)),
        *(judge_queue(name, naming, untagged.get(name)) for name in names),
    ]


def _names_of(spec: QueueSpec, naming: Naming) -> list[str]:
    """Return the queue's name, or those of its shards."""
    if spec.shards == 1:
        return [spec.name]
    return [shard.queue for shard in shards_of(spec.name, spec.shards, naming.slots)]


def judge_nodes(answering: int, failures: Sequence[str]) -> Finding:
    """Judge whether every primary of a cluster answers.

    Args:
        answering: how many do.
        failures: where the others are, and why they do not.
    """
    if not failures:
        return ok("nodes", f"{answering} primaries answer")
    return danger(
        "nodes",
        f"{len(failures)} of {answering + len(failures)} primaries do not answer: {failures[0]}",
        "the queues there stand still, and calls on them fail",
        "start it again, or let a replica take its place: CLUSTER FAILOVER FORCE, or TAKEOVER, on the replica",
    )


def judge_sentinels(sentinels: Sequence[SentinelFacts]) -> list[Finding]:
    """Judge whether the Sentinels can agree on a failover, and do not call one for nothing."""
    answering = [each for each in sentinels if not each.failure]
    return [_sentinels(sentinels, answering), *([_down_after(answering)] if answering else [])]


def _sentinels(sentinels: Sequence[SentinelFacts], answering: Sequence[SentinelFacts]) -> Finding:
    check = "sentinels"
    if forbidden := next((each.forbidden for each in sentinels if each.forbidden), ""):
        return hidden(check, "what its Sentinels know", forbidden)
    silent = [each for each in sentinels if each.failure]
    problem = next((each.quorum_problem for each in answering if each.quorum_problem), "")
    if problem or not answering:
        return danger(
            check,
            problem or f"none of {len(silent)} answers: {silent[0].name}: {silent[0].failure}",
            "when the primary fails, no replica takes its place",
            "start the Sentinels that are away: a failover needs most of them, and as many as the quorum says",
        )
    if len({each.primary for each in answering}) > 1:
        return danger(
            check,
            f"they name different primaries: {', '.join(f'{each.name} {each.primary}' for each in answering)}",
            "one part of the platform works on a server whose data will be thrown away",
            "wait for a failover that is under way; else SENTINEL RESET on those that are wrong",
        )
    if silent:
        return warning(
            check,
            f"{len(silent)} of {len(sentinels)} do not answer: {silent[0].name}: {silent[0].failure}",
            "when another one fails, too few may be left for a failover",
            "start it again, or take it out of REDIS_URL",
        )
    known = 1 + max(each.others for each in answering)
    quorum = max(each.quorum for each in answering)
    if known < 3:
        return warning(
            check,
            f"the primary has {known}",
            "when the machine of one is lost, no majority is left for a failover",
            "run three, on three machines",
        )
    if quorum > known // 2 + 1:
        return warning(
            check,
            f"{quorum} of {known} must agree that the primary is away, more than a majority",
            "there may be no failover for want of agreement, although a majority is left",
            "SENTINEL SET … quorum to a majority, on every Sentinel",
        )
    return ok(check, f"{known}, of which {quorum} must agree")


def _down_after(sentinels: Sequence[SentinelFacts]) -> Finding:
    check, shortest = "down-after-milliseconds", min(each.down_after_ms for each in sentinels)
    if shortest >= _HASTY_MS:
        return ok(check, f"{shortest:,} ms")
    return warning(
        check,
        f"{shortest} ms",
        "a primary that is busy for a moment passes for dead, and what it took meanwhile is lost",
        f"SENTINEL SET … down-after-milliseconds {_HASTY_MS} or more, on every Sentinel",
    )


def judge_durability(primaries: Sequence[ServerFacts], queues: Sequence[QueueSpec]) -> list[Finding]:
    """Judge whether the servers can give the durability that queues declare; nothing where none declares any."""
    check = "durability"
    declared = {spec.durability: spec.name for spec in reversed(queues) if spec.durability is not None}
    if not declared:
        return []
    fails = "each of its adds waits for most of the call timeout and raises NotDurable"
    for facts in primaries:
        if "aof" in declared and facts.appendonly is False:
            return [
                danger(
                    check,
                    f"queue {declared['aof']!r} declares 'aof', and {facts.url} writes no append-only file",
                    fails,
                    "CONFIG SET appendonly yes, and the same in the server's file",
                )
            ]
        if "replica" in declared and facts.replicas is not None and not any(map(_follows, facts.replicas)):
            return [
                danger(
                    check,
                    f"queue {declared['replica']!r} declares 'replica', and no replica follows {facts.url}",
                    fails,
                    "start a replica, or declare 'aof'",
                )
            ]
    return [ok(check, ", ".join(sorted(declared)))]


def judge_replication(primaries: Sequence[ServerFacts], known: int) -> list[Finding]:
    """Judge whether each primary has a replica that keeps up, and what is lost with a primary that is cut off.

    Args:
        primaries: what they say.
        known: how many replicas there are to be, as far as others know.
    """
    if any(each.replicas is None for each in primaries):
        return [hidden("replicas", "its replicas")]
    return [_replicas(primaries, known), *_required(primaries)]


def _replicas(primaries: Sequence[ServerFacts], known: int) -> Finding:
    check = "replicas"
    alone = [each.url for each in primaries if not each.replicas]
    following = [replica for each in primaries for replica in each.replicas or ()]
    if alone:
        return warning(
            check,
            f"{alone[0]} has none" + (f", nor have {len(alone) - 1} more primaries" if len(alone) > 1 else ""),
            "when it fails, its queues stand still, and what its disk does not hold is lost",
            "start one (REPLICAOF; on a cluster CLUSTER REPLICATE), or mend its link: see its log",
        )
    if not_ready := [each.name for each in following if not each.is_online]:
        return warning(
            check,
            f"{not_ready[0]} has not all data yet",
            "what was written since is lost if the primary fails now",
            "wait until it has; when it begins again and again, raise client-output-buffer-limit and "
            "repl-backlog-size",
        )
    if len(following) < known:
        return warning(
            check,
            f"{known - len(following)} of {known} are not connected",
            "when their primary fails, too few may be left to take its place",
            "start them, or mend their links; SENTINEL RESET (on a cluster CLUSTER FORGET) forgets one that is "
            "gone for good",
        )
    late = max(following, key=lambda each: each.lag_seconds)
    behind = max(following, key=lambda each: each.behind_bytes)
    if late.lag_seconds > _LAG_SECONDS:
        cause = f"{late.name} has not answered for {late.lag_seconds} s"
    elif behind.behind_bytes > _BEHIND_BYTES:
        cause = f"{behind.name} is {behind.behind_bytes / 2**20:,.0f} MB behind"
    else:
        return ok(check, f"{len(following)}")
    return warning(
        check, cause, "what it does not have is lost with its primary", "look for a slow link, disk or machine"
    )


def _required(primaries: Sequence[ServerFacts]) -> list[Finding]:
    check = "min-replicas-to-write"
    without = [each.url for each in primaries if not each.requires_replicas and each.replicas]
    if not without:
        return [ok(check, "set")] if all(each.requires_replicas for each in primaries) else []
    return [
        warning(
            check,
            f"0 at {without[0]}",
            "what a primary that is cut off still does is undone when a replica takes its place: jobs are lost, "
            "or run twice",
            "CONFIG SET min-replicas-to-write 1 and min-replicas-max-lag 10, and the same in the files of all "
            "servers: then a primary without a replica refuses writes, so have two replicas each",
        )
    ]


def judge_slots(cluster: ClusterFacts) -> Finding:
    """Judge whether each slot has a primary."""
    check = "slots"
    if cluster.hidden:
        return hidden(check, "who has which slots", "CLUSTER NODES")
    if cluster.unserved:
        away = f"; away: {', '.join(cluster.failed)}" if cluster.failed else ""
        return danger(
            check,
            f"{cluster.unserved:,} have no primary{away}",
            "the queues there stand still, and calls on them fail; on all nodes, unless "
            "cluster-require-full-coverage is no",
            "start the node again, or give its slots to another: valkey-cli --cluster fix (or redis-cli)",
        )
    if cluster.failed:
        return warning(
            check,
            f"each has a primary; away: {', '.join(cluster.failed)}",
            "when another node fails, its slots may have no primary",
            "start it again, or take it out of the cluster: CLUSTER FORGET on every node",
        )
    return ok(check, "each has a primary")


def judge_clocks(nodes: Sequence[ServerFacts]) -> Finding:
    """Judge how far the clocks of nodes are apart: a slot that moves takes its times along."""
    check = "clocks of the nodes"
    skews = [facts.skew_ms for facts in nodes if facts.skew_ms is not None]
    apart = max(skews) - min(skews) if skews else 0
    if apart <= _APART_MS:
        return ok(check, f"{apart} ms apart")
    return warning(
        check,
        f"{apart:,} ms apart",
        "delays, leases and limits jump by that when a slot moves to another node",
        "let all machines follow one time server (chrony, systemd-timesyncd)",
    )


def judge_load(loads: Sequence[SlotLoad], names: Mapping[int, Sequence[str]]) -> Finding:
    """Judge whether one slot takes most of what its node can do.

    Args:
        loads: of the nodes that count it.
        names: what is in a slot, in words.
    """
    check = "hot slots"
    if not loads:
        return ok(check, "not counted; with cluster-slot-stats-enabled yes, Valkey 8 and Redis 8.2 count them")
    hot = [load for load in loads if _hot_share(load) > _HOT_SHARE and _busy_share(load) >= _BUSY_SHARE]
    if not hot:
        return ok(check, "none")
    worst = max(hot, key=_busy_share)
    slot, _ = worst.busiest[0]
    inside = ", ".join(names.get(slot, ())) or "no declared queue"
    return warning(
        check,
        f"slot {slot} ({inside}) took {_hot_share(worst):.0%} of the time of {worst.node}'s busiest slots, "
        f"{_busy_share(worst):.0%} of a processor",
        "a slot is on one node: its queues are as fast as that node's one processor, however many nodes there are",
        "Topology(slots='queue') parts the queues of a family, and shards=4 spreads one queue over four slots; or "
        "move the other slots of that node to others",
    )


def _hot_share(load: SlotLoad) -> float:
    total = sum(cost for _, cost in load.busiest)
    return load.busiest[0][1] / total if total else 0.0


def _busy_share(load: SlotLoad) -> float:
    if not load.busiest or not load.uptime_seconds:
        return 0.0
    return load.busiest[0][1] / 1e6 / load.uptime_seconds


def judge_queue(name: str, naming: Naming, untagged: str | None) -> Finding:
    """Judge whether a queue exists a second time, without a hash tag; say how Node spells it.

    Args:
        name: the queue's.
        naming: how its keys are spelled.
        untagged: a key of it without a tag, if there is one.
    """
    check, spelling = f"{QUEUE}{name}", naming.node(name).constructor
    if untagged is None:
        return ok(check, f"in Node: {spelling}")
    return warning(
        check,
        f"there is a key without its hash tag: {untagged}",
        "a program spells the queue without the tag: BullMQ's scripts are refused there, and no worker of ours "
        "looks there",
        f"let it use {spelling}; jobs that were copied from a single server have to be added again",
    )


def _follows(replica: ReplicaFacts) -> bool:
    return replica.is_online

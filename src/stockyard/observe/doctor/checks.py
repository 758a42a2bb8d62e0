"""Looks at servers, and says what is dangerous about them and what to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from stockyard._store.inspecting import ServerFacts, read_event_streams, read_server
from stockyard._store.net.server import Server
from stockyard._store.net.server_calls import ServerCalls
from stockyard.errors import ServerError
from stockyard.model.naming import Naming, hash_tag
from stockyard.observe.doctor.finding import (
    Finding,
    Severity,
    danger,
    hidden,
    in_order,
    ok,
    trusted,
    warning,
)
from stockyard.topology import QueueSpec

_VERSION, EVICTION = "version", "eviction policy"
ESSENTIAL = (_VERSION, EVICTION)
"""The checks that the workers of a critical queue insist on."""

_CACHE_SERVER = "cache server"
SAFE_POLICY = "noeviction"
_FULL, _NEARLY_FULL = 0.95, 0.80
_SKEW_WARNING_MS, _SKEW_DANGER_MS = 500, 5_000
_SLOW_MS = 20.0
_STREAM_SHARE, _STREAM_LEAST = 0.10, 32 * 2**20


async def check_server(
    server: Server,
    *,
    naming: Naming,
    trusts: bool = False,
    queues: Sequence[QueueSpec] | None = None,
    egress: str = "",
) -> list[Finding]:
    """Ask the server about itself and return every finding, the dangers first; arguments as for ``diagnose``.

    With ``queues``, their event streams are looked at too, and what the servers are together: who would take the
    place of a primary, and who has which slots; and the limits of exchanges, for a process of the address
    ``egress``.

    Raises:
        ServerUnavailable, ReplyLost: it does not answer.
        ServerTooOld: it cannot be worked with at all.
    """
    primaries, nodes, failures = await _read_primaries(server)
    found = _worst_of([diagnose(facts, naming=naming, trusts=trusts) for facts in nodes], nodes)
    if server.address.kind == "cluster":
        from stockyard.observe.doctor.set_checks import judge_nodes

        found = in_order([*found, judge_nodes(len(nodes), failures)])
    if queues is None:
        return found
    if queues:
        names = [spec.name for spec in queues]
        sizes = [await read_event_streams(node, naming, names) for node in primaries]
        found.append(_streams(nodes, sizes))
    # A worker that starts asks for none of this.
    from stockyard.observe.doctor.key_checks import check_keys
    from stockyard.observe.doctor.limit_checks import check_limits
    from stockyard.observe.doctor.set_checks import check_set

    of_set = await check_set(server, primaries, nodes, naming=naming, queues=queues)
    found += await check_keys(server, naming=naming, queues=queues)
    found += await check_limits(server, naming=naming, queues=queues, egress=egress)
    return in_order([*found, *(trusted(each) if trusts else each for each in of_set)])


async def _read_primaries(server: Server) -> tuple[list[ServerCalls], list[ServerFacts], list[str]]:
    """Return the primaries that answer, what they say of themselves, and why the others do not answer.

    Raises:
        ServerError: none answers.
    """
    primaries: list[ServerCalls] = []
    nodes: list[ServerFacts] = []
    errors: list[ServerError] = []
    for node in await server.primaries():
        try:
            nodes.append(await read_server(node))
        except ServerError as error:
            errors.append(error)
        else:
            primaries.append(node)
    if not nodes:
        raise errors[0]
    return primaries, nodes, [str(error) for error in errors]


def diagnose(facts: ServerFacts, *, naming: Naming, trusts: bool = False) -> list[Finding]:
    """Return every finding on these facts, the dangers first.

    Args:
        facts: what the server says of itself.
        naming: how keys are spelled.
        trusts: what the server hides is taken to be as it should. Defaults to False.
    """
    found = [
        _version(facts),
        _eviction(facts),
        _memory(facts),
        _evicted(facts),
        _persistence(facts),
        _role(facts),
        _cluster(facts, naming),
        _clock(facts),
        _connections(facts),
        _round_trip(facts),
    ]
    return in_order(trusted(each) if trusts else each for each in found)


def _worst_of(found: Sequence[Sequence[Finding]], nodes: Sequence[ServerFacts]) -> list[Finding]:
    """Return of each check the finding of the node where it is worst, with the address of one of several."""
    worst: dict[str, Finding] = {}
    for findings, facts in zip(found, nodes, strict=True):
        for each in findings:
            is_first = each.check not in worst
            if is_first or each.is_worse_than(worst[each.check]):
                is_named = len(nodes) > 1 and each.severity is not Severity.OK
                worst[each.check] = replace(each, cause=f"{facts.url}: {each.cause}") if is_named else each
    return in_order(worst.values())


async def examine_cache(server: Server, *, has_budget: bool, trusts: bool = False) -> Finding:
    """Ask the server that caches have to themselves, and judge what it says; one that is away is a finding too."""
    try:
        facts = await read_server(server)
    except ServerError as error:
        # What follows in the message is advice on the queues' own server.
        return warning(
            _CACHE_SERVER,
            f"it cannot be used: {str(error).partition('; ')[0]}",
            "nothing is cached: every caller computes",
            "start it, correct CACHE_REDIS_URL, or leave that out to keep caches on the queues' server",
        )
    found = diagnose_cache(facts, has_budget=has_budget)
    return trusted(found) if trusts else found


def diagnose_cache(facts: ServerFacts, *, has_budget: bool) -> Finding:
    """Judge a server that holds nothing but caches.

    Args:
        facts: what it says of itself.
        has_budget: the caches bound themselves there (``STOCKYARD_CACHE_BYTES``).
    """
    if has_budget:
        return ok(_CACHE_SERVER, "the caches keep the budget of STOCKYARD_CACHE_BYTES")
    if facts.policy is None or facts.maxmemory is None:
        return hidden(_CACHE_SERVER, "its maxmemory and its policy")
    remedy = "or bound the caches themselves by STOCKYARD_CACHE_BYTES"
    if facts.maxmemory == 0:
        return warning(
            _CACHE_SERVER,
            "no maxmemory, and the caches keep no budget",
            "they grow until the operating system kills the server",
            f"set maxmemory (deploy/redis-cache.conf), {remedy}",
        )
    if facts.policy == SAFE_POLICY:
        return warning(
            _CACHE_SERVER,
            f"maxmemory-policy is {facts.policy}, and the caches keep no budget",
            "once it is full, nothing more is remembered",
            "CONFIG SET maxmemory-policy allkeys-lru, and the same in its file (deploy/redis-cache.conf), "
            f"{remedy}",
        )
    return ok(_CACHE_SERVER, f"{facts.policy} at {_mb(facts.maxmemory)}")


def diagnose_streams(facts: ServerFacts, sizes: Mapping[str, int]) -> Finding:
    """Judge what the event streams take of the server's memory.

    Args:
        facts: what the server says of itself.
        sizes: bytes of each queue's stream.
    """
    check = "event streams"
    memory = facts.maxmemory or facts.used_memory or 0
    largest = max(sizes, key=lambda queue: sizes[queue], default=None)
    if largest is None or sizes[largest] < max(memory * _STREAM_SHARE, _STREAM_LEAST):
        return ok(check, _in_all(sizes.values()))
    return warning(
        check,
        f"that of queue {largest!r} takes {_mb(sizes[largest])} of {_mb(memory)}",
        "results, reasons and progress values stay in it after their jobs are gone, and fill the server",
        "bound it: await queue.set_event_limits(size=…, entries=…), or cut it once: await queue.trim_events(100)",
    )


def _streams(nodes: Sequence[ServerFacts], sizes: Sequence[Mapping[str, int]]) -> Finding:
    """Judge the event streams of each node by its own memory."""
    found = [[diagnose_streams(facts, of_node)] for facts, of_node in zip(nodes, sizes, strict=True)]
    (worst,) = _worst_of(found, nodes)
    if worst.severity is Severity.OK:
        return replace(worst, cause=_in_all([size for of_node in sizes for size in of_node.values()]))
    return worst


def _in_all(sizes: Collection[int]) -> str:
    return f"{_mb(sum(sizes))} in {len(sizes)} queues"


def _version(facts: ServerFacts) -> Finding:
    if facts.version is None:
        return hidden(_VERSION, "its version")
    # An older one than the engine works on is refused as soon as it is connected to.
    return ok(_VERSION, f"{facts.product} {facts.version}")


def _eviction(facts: ServerFacts) -> Finding:
    if facts.policy is None:
        return hidden(EVICTION, "its maxmemory-policy")
    if facts.policy == SAFE_POLICY:
        return ok(EVICTION, facts.policy)
    if facts.policy.startswith("allkeys"):
        loss = "a full server deletes wait lists and job records: nearly every waiting job is lost"
    else:
        loss = "a full server deletes locks, rate windows and deduplication keys: jobs run twice"
    return danger(
        EVICTION,
        f"maxmemory-policy is {facts.policy}",
        loss,
        "CONFIG SET maxmemory-policy noeviction, and the same in the server's file (deploy/redis.conf); the cache "
        "keeps its own budget, or moves to a second server by CACHE_REDIS_URL",
    )


def _memory(facts: ServerFacts) -> Finding:
    check = "memory"
    if facts.maxmemory is None or facts.used_memory is None:
        return hidden(check, "its memory")
    if facts.maxmemory == 0:
        return warning(
            check,
            f"{_mb(facts.used_memory)} used, no maxmemory",
            "the operating system kills a server that takes all memory",
            "set maxmemory below what the machine has (deploy/redis.conf: 2gb)",
        )
    detail = f"{_mb(facts.used_memory)} of {_mb(facts.maxmemory)} used"
    share = facts.used_memory / facts.maxmemory
    if share >= _NEARLY_FULL:
        full = share >= _FULL
        return Finding(
            check,
            Severity.DANGER if full else Severity.WARNING,
            detail,
            "a full server refuses every add"
            if full
            else "the server is nearly full; a full one refuses every add",
            "clean finished jobs (stockyard queue clean), keep fewer, shrink the cache, or raise maxmemory",
        )
    return ok(check, detail)


def _evicted(facts: ServerFacts) -> Finding:
    check = "evictions"
    if facts.evicted is None:
        return hidden(check, "how many keys it evicted")
    if facts.evicted:
        return danger(
            check,
            f"{facts.evicted:,} keys evicted since it started",
            "some of them may have been jobs, locks or deduplication keys",
            "set noeviction; compare the queues with their sources; CONFIG RESETSTAT once that is done",
        )
    return ok(check, "none since it started")


def _persistence(facts: ServerFacts) -> Finding:
    check = "persistence"
    if facts.persistence_error:
        return danger(
            check,
            facts.persistence_error,
            "what is acknowledged now may not be on disk",
            "look at the server's log and its disk; free space, then BGREWRITEAOF",
        )
    if facts.appendonly is None:
        return hidden(check, "whether it writes an append-only file")
    if not facts.appendonly:
        return warning(
            check,
            "appendonly is off",
            "a crash loses what was added since the last snapshot",
            "CONFIG SET appendonly yes, and appendonly yes with appendfsync everysec in the server's file",
        )
    if facts.delayed_fsync:
        return warning(
            check,
            f"the disk was too slow for an fsync a second, {facts.delayed_fsync:,} times since the server started",
            "writes wait in the server's memory for up to 2 s: a crash of its process alone loses them",
            "find what slows the disk, or set appendfsync always; CONFIG RESETSTAT once that is done",
        )
    return ok(check, "append-only file on")


def _role(facts: ServerFacts) -> Finding:
    check = "role"
    if facts.role is None:
        return hidden(check, "its role")
    if facts.role == "replica":
        return danger(
            check, "it is a replica", "it refuses writes, or loses them", "point REDIS_URL at the primary"
        )
    return ok(check, "primary")


def _cluster(facts: ServerFacts, naming: Naming) -> Finding:
    check = "cluster"
    if facts.is_cluster is None:
        return hidden(check, "whether it is a node of a cluster")
    if not facts.is_cluster:
        return ok(check, "not a cluster")
    prefix = naming.prefix
    if hash_tag(prefix) != prefix:
        return ok(check, f"one slot by the hash tag of prefix {prefix!r}")
    if naming.slots is not None:
        return ok(check, f"hash tags in the names of keys: slots={naming.slots!r}")
    return danger(
        check,
        f"a cluster, and prefix {prefix!r} has no hash tag",
        "the keys of one queue lie in several slots: every script is refused",
        "choose a prefix with a tag: STOCKYARD_PREFIX='{bull}'",
    )


def _clock(facts: ServerFacts) -> Finding:
    check = "clock"
    if facts.skew_ms is None:
        return hidden(check, "its time", "TIME")
    away = abs(facts.skew_ms)
    detail = f"this machine is {away} ms {'ahead of' if facts.skew_ms >= 0 else 'behind'} the server"
    if away < _SKEW_WARNING_MS:
        return ok(check, detail)
    return Finding(
        check,
        Severity.DANGER if away >= _SKEW_DANGER_MS else Severity.WARNING,
        detail,
        "Stockyard corrects its own times by what it measures; BullMQ's Node workers and producers on this "
        "machine follow its clock, and so do the times in logs",
        "synchronise the clocks (chrony, systemd-timesyncd)",
    )


def _connections(facts: ServerFacts) -> Finding:
    check = "connections"
    if facts.clients is None:
        return hidden(check, "its connections")
    detail = f"{facts.clients:,} connections" + (f" of {facts.maxclients:,}" if facts.maxclients else "")
    if facts.maxclients and facts.clients > facts.maxclients * _NEARLY_FULL:
        return warning(
            check,
            detail,
            "a server without free connections turns workers away",
            "raise maxclients, or close clients",
        )
    return ok(check, detail)


def _round_trip(facts: ServerFacts) -> Finding:
    check = "round trip"
    detail = f"{facts.round_trip_ms:.1f} ms"
    if facts.round_trip_ms > _SLOW_MS:
        return warning(
            check,
            detail,
            "every add and every take waits that long",
            "move nearer to the server, or see its SLOWLOG",
        )
    return ok(check, detail)


def _mb(size: int) -> str:
    return f"{size / 1_048_576:,.0f} MB"

"""Looks at servers, and says what is dangerous about them and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from stockyard._store.inspecting import ServerFacts, read_event_streams, read_server
from stockyard._store.net.server import Server
from stockyard.errors import ServerError
from stockyard.model.naming import Naming, hash_tag

_VERSION, EVICTION = "version", "eviction policy"
ESSENTIAL = (_VERSION, EVICTION)
"""The checks that the workers of a critical queue insist on."""

_CACHE_SERVER = "cache server"
SAFE_POLICY = "noeviction"
_FULL, _NEARLY_FULL = 0.95, 0.80
_SKEW_WARNING_MS, _SKEW_DANGER_MS = 500, 5_000
_SLOW_MS = 20.0
_STREAM_SHARE, _STREAM_LEAST = 0.10, 32 * 2**20


class Severity(StrEnum):
    """How bad a finding is: ``danger`` can lose jobs or run them twice."""

    OK = "ok"
    WARNING = "warning"
    DANGER = "danger"


_RANK = {Severity.DANGER: 0, Severity.WARNING: 1, Severity.OK: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what was looked at.
        severity: how bad it is.
        cause: what was found.
        danger: what it can lead to; empty when all is well.
        remedy: what to do; empty when all is well.
        is_hidden: whether the server hides it; a warning, unless the server is trusted.
    """

    check: str
    severity: Severity
    cause: str
    danger: str = ""
    remedy: str = ""
    is_hidden: bool = False


async def check_server(
    server: Server, *, naming: Naming, trusts: bool = False, queues: Sequence[str] = ()
) -> list[Finding]:
    """Ask the server about itself and return every finding, the dangers first; arguments as for ``diagnose``.

    With ``queues``, their event streams are looked at too.

    Raises:
        ServerUnavailable, ReplyLost: it does not answer.
        ServerTooOld: it cannot be worked with at all.
    """
    nodes = [await read_server(node) for node in await server.primaries()]
    found = _worst_of([diagnose(facts, naming=naming, trusts=trusts) for facts in nodes], nodes)
    if not queues:
        return found
    return in_order([*found, diagnose_streams(nodes[0], await read_event_streams(server, naming, queues))])


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
    return in_order(_trusted(each) if trusts and each.is_hidden else each for each in found)


def _worst_of(found: Sequence[Sequence[Finding]], nodes: Sequence[ServerFacts]) -> list[Finding]:
    """Return of each check the finding of the node where it is worst, with the address of one of several."""
    worst: dict[str, Finding] = {}
    for findings, facts in zip(found, nodes, strict=True):
        for each in findings:
            is_first = each.check not in worst
            if is_first or _RANK[each.severity] < _RANK[worst[each.check].severity]:
                is_named = len(nodes) > 1 and each.severity is not Severity.OK
                worst[each.check] = replace(each, cause=f"{facts.url}: {each.cause}") if is_named else each
    return in_order(worst.values())


async def examine_cache(server: Server, *, has_budget: bool, trusts: bool = False) -> Finding:
    """Ask the server that caches have to themselves, and judge what it says; one that is away is a finding too."""
    try:
        facts = await read_server(server)
    except ServerError as error:
        # What follows in the message is advice on the queues' own server.
        return _warning(
            _CACHE_SERVER,
            f"it cannot be used: {str(error).partition('; ')[0]}",
            "nothing is cached: every caller computes",
            "start it, correct CACHE_REDIS_URL, or leave that out to keep caches on the queues' server",
        )
    found = diagnose_cache(facts, has_budget=has_budget)
    return _trusted(found) if trusts and found.is_hidden else found


def diagnose_cache(facts: ServerFacts, *, has_budget: bool) -> Finding:
    """Judge a server that holds nothing but caches.

    Args:
        facts: what it says of itself.
        has_budget: the caches bound themselves there (``STOCKYARD_CACHE_BYTES``).
    """
    if has_budget:
        return _ok(_CACHE_SERVER, "the caches keep the budget of STOCKYARD_CACHE_BYTES")
    if facts.policy is None or facts.maxmemory is None:
        return _hidden(_CACHE_SERVER, "its maxmemory and its policy")
    remedy = "or bound the caches themselves by STOCKYARD_CACHE_BYTES"
    if facts.maxmemory == 0:
        return _warning(
            _CACHE_SERVER,
            "no maxmemory, and the caches keep no budget",
            "they grow until the operating system kills the server",
            f"set maxmemory (deploy/redis-cache.conf), {remedy}",
        )
    if facts.policy == SAFE_POLICY:
        return _warning(
            _CACHE_SERVER,
            f"maxmemory-policy is {facts.policy}, and the caches keep no budget",
            "once it is full, nothing more is remembered",
            "CONFIG SET maxmemory-policy allkeys-lru, and the same in its file (deploy/redis-cache.conf), "
            f"{remedy}",
        )
    return _ok(_CACHE_SERVER, f"{facts.policy} at {_mb(facts.maxmemory)}")


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
        return _ok(check, f"{_mb(sum(sizes.values()))} in {len(sizes)} queues")
    return _warning(
        check,
        f"that of queue {largest!r} takes {_mb(sizes[largest])} of {_mb(memory)}",
        "results, reasons and progress values stay in it after their jobs are gone, and fill the server",
        "bound it: await queue.set_event_limits(size=…, entries=…), or cut it once: await queue.trim_events(100)",
    )


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, the dangers first."""
    return sorted(findings, key=lambda each: _RANK[each.severity])


def worst(findings: Iterable[Finding]) -> Severity:
    """Return the worst severity among findings."""
    seen = {finding.severity for finding in findings}
    return next((each for each in (Severity.DANGER, Severity.WARNING) if each in seen), Severity.OK)


def _ok(check: str, cause: str) -> Finding:
    return Finding(check, Severity.OK, cause)


def _warning(check: str, cause: str, danger: str, remedy: str) -> Finding:
    return Finding(check, Severity.WARNING, cause, danger, remedy)


def _danger(check: str, cause: str, danger: str, remedy: str) -> Finding:
    return Finding(check, Severity.DANGER, cause, danger, remedy)


def _hidden(check: str, what: str, command: str = "INFO") -> Finding:
    return Finding(
        check,
        Severity.WARNING,
        f"the server hides {what}",
        "what cannot be seen cannot be judged",
        f"let this user run {command} (ACL: +{command.lower()}), or acknowledge it with STOCKYARD_TRUST_SERVER=1",
        is_hidden=True,
    )


def _trusted(hidden: Finding) -> Finding:
    return replace(
        hidden,
        severity=Severity.OK,
        cause=f"{hidden.cause}; trusted by STOCKYARD_TRUST_SERVER",
        danger="",
        remedy="",
    )


def _version(facts: ServerFacts) -> Finding:
    if facts.version is None:
        return _hidden(_VERSION, "its version")
    # An older one than the engine works on is refused as soon as it is connected to.
    return _ok(_VERSION, f"{facts.product} {facts.version}")


def _eviction(facts: ServerFacts) -> Finding:
    if facts.policy is None:
        return _hidden(EVICTION, "its maxmemory-policy")
    if facts.policy == SAFE_POLICY:
        return _ok(EVICTION, facts.policy)
    if facts.policy.startswith("allkeys"):
        danger = "a full server deletes wait lists and job records: nearly every waiting job is lost"
    else:
        danger = "a full server deletes locks, rate windows and deduplication keys: jobs run twice"
    return _danger(
        EVICTION,
        f"maxmemory-policy is {facts.policy}",
        danger,
        "CONFIG SET maxmemory-policy noeviction, and the same in the server's file (deploy/redis.conf); the cache "
        "keeps its own budget, or moves to a second server by CACHE_REDIS_URL",
    )


def _memory(facts: ServerFacts) -> Finding:
    check = "memory"
    if facts.maxmemory is None or facts.used_memory is None:
        return _hidden(check, "its memory")
    if facts.maxmemory == 0:
        return _warning(
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
    return _ok(check, detail)


def _evicted(facts: ServerFacts) -> Finding:
    check = "evictions"
    if facts.evicted is None:
        return _hidden(check, "how many keys it evicted")
    if facts.evicted:
        return _danger(
            check,
            f"{facts.evicted:,} keys evicted since it started",
            "some of them may have been jobs, locks or deduplication keys",
            "set noeviction; compare the queues with their sources; CONFIG RESETSTAT once that is done",
        )
    return _ok(check, "none since it started")


def _persistence(facts: ServerFacts) -> Finding:
    check = "persistence"
    if facts.persistence_error:
        return _danger(
            check,
            facts.persistence_error,
            "what is acknowledged now may not be on disk",
            "look at the server's log and its disk; free space, then BGREWRITEAOF",
        )
    if facts.appendonly is None:
        return _hidden(check, "whether it writes an append-only file")
    if not facts.appendonly:
        return _warning(
            check,
            "appendonly is off",
            "a crash loses what was added since the last snapshot",
            "CONFIG SET appendonly yes, and appendonly yes with appendfsync everysec in the server's file",
        )
    if facts.delayed_fsync:
        return _warning(
            check,
            f"the disk was too slow for an fsync a second, {facts.delayed_fsync:,} times since the server started",
            "writes wait in the server's memory for up to 2 s: a crash of its process alone loses them",
            "find what slows the disk, or set appendfsync always; CONFIG RESETSTAT once that is done",
        )
    return _ok(check, "append-only file on")


def _role(facts: ServerFacts) -> Finding:
    check = "role"
    if facts.role is None:
        return _hidden(check, "its role")
    if facts.role == "replica":
        return _danger(
            check, "it is a replica", "it refuses writes, or loses them", "point REDIS_URL at the primary"
        )
    return _ok(check, "primary")


def _cluster(facts: ServerFacts, naming: Naming) -> Finding:
    check = "cluster"
    if facts.is_cluster is None:
        return _hidden(check, "whether it is a node of a cluster")
    if not facts.is_cluster:
        return _ok(check, "not a cluster")
    prefix = naming.prefix
    if hash_tag(prefix) != prefix:
        return _ok(check, f"one slot by the hash tag of prefix {prefix!r}")
    if naming.slots is not None:
        return _ok(check, f"hash tags in the names of keys: slots={naming.slots!r}")
    return _danger(
        check,
        f"a cluster, and prefix {prefix!r} has no hash tag",
        "the keys of one queue lie in several slots: every script is refused",
        "choose a prefix with a tag: STOCKYARD_PREFIX='{bull}'",
    )


def _clock(facts: ServerFacts) -> Finding:
    check = "clock"
    if facts.skew_ms is None:
        return _hidden(check, "its time", "TIME")
    away = abs(facts.skew_ms)
    detail = f"this machine is {away} ms {'ahead of' if facts.skew_ms >= 0 else 'behind'} the server"
    if away < _SKEW_WARNING_MS:
        return _ok(check, detail)
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
        return _hidden(check, "its connections")
    detail = f"{facts.clients:,} connections" + (f" of {facts.maxclients:,}" if facts.maxclients else "")
    if facts.maxclients and facts.clients > facts.maxclients * _NEARLY_FULL:
        return _warning(
            check,
            detail,
            "a server without free connections turns workers away",
            "raise maxclients, or close clients",
        )
    return _ok(check, detail)


def _round_trip(facts: ServerFacts) -> Finding:
    check = "round trip"
    detail = f"{facts.round_trip_ms:.1f} ms"
    if facts.round_trip_ms > _SLOW_MS:
        return _warning(
            check,
            detail,
            "every add and every take waits that long",
            "move nearer to the server, or see its SLOWLOG",
        )
    return _ok(check, detail)


def _mb(size: int) -> str:
    return f"{size / 1_048_576:,.0f} MB"

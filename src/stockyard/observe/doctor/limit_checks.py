"""Looks at the limits of exchanges: what is frozen, what is declared twice, and by which address they count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stockyard._store.limits.facts import LimitsFacts, read_facts, without_cost
from stockyard._store.net.server import Server
from stockyard.errors import ServerUnavailable
from stockyard.model.limits import EGRESS, Limits
from stockyard.model.naming import Naming
from stockyard.observe.doctor.finding import Finding, ok, warning
from stockyard.observe.health import limits_health_of
from stockyard.topology import QueueSpec

_NO_EGRESS = "default"


async def check_limits(
    server: Server, *, naming: Naming, queues: Sequence[QueueSpec], egress: str
) -> list[Finding]:
    """Return a finding on the limits of each exchange that queues declare, or that any program has used.

    Raises:
        ServerUnavailable, ReplyLost: the server does not answer.
    """
    declared = {spec.limits.name: spec.limits for spec in queues if spec.limits is not None}
    try:
        known = {facts.name: facts for facts in await read_facts(server, naming)}
        if known and not server.clock.is_known:
            await server.learn_time()
    except ServerUnavailable as error:
        if server.address.kind != "cluster":
            raise
        # Their slot may have no primary, and the other findings say so.
        return [_unread(name, error) for name in sorted(declared)]
    return [
        judge_limits(
            known.get(name, LimitsFacts(name, {}, {})), declared.get(name), egress=egress, now=server.clock()
        )
        for name in sorted({*known, *declared})
    ]


def _unread(name: str, error: ServerUnavailable) -> Finding:
    return warning(
        f"limits {name}",
        f"they cannot be read now: {error}",
        "a freeze that holds is not seen",
        "look again when every slot has a primary",
    )


def judge_limits(facts: LimitsFacts, declared: Limits | None, *, egress: str, now: int) -> Finding:
    """Judge the limits of one exchange.

    Args:
        facts: what the server knows of them.
        declared: as queues of this program declare them, or None.
        egress: ``STOCKYARD_EGRESS`` of this process.
        now: ms since the epoch.
    """
    check = f"limits {facts.name}"
    health = limits_health_of(facts, now)
    if health.frozen_for:
        return warning(
            check,
            f"{f'calls of {health.frozen_scope}' if health.frozen_scope else 'all calls'} are frozen for another "
            f"{health.frozen_for:.0f} s",
            "nothing is sent, and queues with these limits start no job",
            "find what called too often (the log of the process that froze them); once the exchange admits calls "
            f"again: stockyard limits thaw {facts.name}",
        )
    if declared is None:
        return ok(check, "used by other programs")
    if other := _declared_otherwise(facts.declared, declared):
        return warning(
            check,
            f"another program declares {', '.join(other)} otherwise",
            "each counts by its own rule, and the exchange by one: calls are refused, or a part of it is not used",
            "declare them once, in a module that every program imports, and start the older programs again",
        )
    by_address = [limit.name for limit in declared.limits if EGRESS in limit.scope]
    if not by_address:
        return ok(check, f"{len(declared.limits)} of them")
    if egress == _NO_EGRESS:
        return ok(
            check,
            f"{', '.join(by_address)} by address, and without STOCKYARD_EGRESS all processes count as one address",
        )
    return ok(check, f"{', '.join(by_address)} by address; that of this process is {egress}")


def _declared_otherwise(known: Mapping[str, Mapping[str, object]], declared: Limits) -> list[str]:
    """Return the names of limits whose rule, on the server, is another than here."""
    here = {
        limit.name: without_cost(
            {"name": limit.name, "kind": limit.kind, "scope": list(limit.scope), **limit.rule()}
        )
        for limit in declared.limits
    }
    return sorted(name for name in known if here.get(name) != known[name])

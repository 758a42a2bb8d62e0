"""Counts calls under the limits of an exchange: all or none of a call's, in one script, by the server's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from stockyard._store.net.server import Server
from stockyard._store.scripts import Script, load
from stockyard._wire.own_keys import limits_base, limits_index
from stockyard.model.clock import Clock
from stockyard.model.duration import milliseconds
from stockyard.model.limits import LimitPlan, Limits
from stockyard.model.naming import Naming

_TAKE = load("limiting.take")
_OBSERVE = load("limiting.observe")
_SETTLE = load("limiting.settle")
_FREEZE = load("limiting.freeze")
_LOOK = load("limiting.look")
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode
_LONGEST_LIST = 1000


class LimitView(NamedTuple):
    """One limit in one scope at one moment.

    Attributes:
        name: of the limit.
        scope: as text; empty for a limit without one.
        used: what counts now.
        most: the amount.
    """

    name: str
    scope: str
    used: float
    most: float


class TakeReply(NamedTuple):
    """What became of a call.

    Attributes:
        wait_us: how long it has to wait; 0 when it was admitted.
        cause: the limit that it waits for; empty for a freeze.
        may_end_early: whether the end of another call may end the wait.
        is_declared: whether the server knows what the limits are.
        views: its limits after it.
        tickets: what later words of this call are measured by; empty for a call that waits.
    """

    wait_us: int
    cause: str
    may_end_early: bool
    is_declared: bool
    views: tuple[LimitView, ...]
    tickets: tuple[Mapping[str, Any], ...]


class LimitsLook(NamedTuple):
    """The limits of one exchange as the server has them.

    Attributes:
        views: each limit in each scope that has been used of late.
        frozen: scope -> microseconds that it is frozen for; the empty scope is all calls.
        scopes: limit -> the names of its scope.
        freeze_scope: what a freeze may hold alone; empty for nothing.
        queues: those that a freeze holds, too.
        source: where the exchange documents its limits.
    """

    views: tuple[LimitView, ...]
    frozen: Mapping[str, int]
    scopes: Mapping[str, tuple[str, ...]]
    freeze_scope: str
    queues: tuple[str, ...]
    source: str


class LimitsKeyspace:
    """The limits of one exchange on one server.

    Args:
        server: the server.
        naming: how keys are spelled.
        name: of the limits.
        clock: gives the time in ms. Defaults to the server's own, which no process's clock can change.
    """

    def __init__(self, server: Server, naming: Naming, name: str, *, clock: Clock | None = None) -> None:
        self.server = server
        self.naming = naming
        self.name = name
        self.base: str = limits_base(naming, name)
        self._clock = server.clock if clock is None and server.clock.is_manual else clock

    async def run(self, script: Script, *args: str | bytes | int | float) -> Any:
        """Run a script that makes its keys itself, of what they begin with."""
        now = "" if self._clock is None else self._clock() * 1000
        return await self.server.run(script, (self.base,), self.base, now, *args)


class Request(NamedTuple):
    """A call as scripts are given it.

    Attributes:
        plan: what it needs.
        packed: the same for the server.
    """

    plan: LimitPlan
    packed: bytes


def request_of(limits: Limits, plan: LimitPlan, token: str) -> Request:
    """Return a call as scripts are given it.

    Args:
        limits: those of the plan.
        plan: what the call needs.
        token: names the call among those under way.
    """
    asked = {
        "limits": [
            {
                "name": use.limit.name,
                "kind": use.limit.kind,
                "path": f"{use.limit.name}:{use.scope}",
                "cost": use.cost,
                **use.limit.rule(),
            }
            for use in plan.uses
        ],
        "reserve": dict(limits.reserve),
        # Only lanes with a reserve are counted apart.
        "lane": plan.lane if plan.lane in limits.reserve else "",
        "token": token,
        "frozen": plan.frozen_scope,
        "slow": milliseconds(limits.slow_start, option="slow_start") * 1000,
        "trusts": limits.after_failover == "trust",
    }
    return Request(plan, _pack(asked))


async def take(keyspace: LimitsKeyspace, request: Request) -> TakeReply:
    """Admit a call under all of its limits, or count it under none."""
    wait, cause, may_end_early, is_unknown, packed = await keyspace.run(_TAKE, request.packed)
    found: list[dict[str, Any]] = _unpack(packed) or []
    views = tuple(
        LimitView(use.limit.name, use.scope, each.pop("used"), each.pop("most"))
        for use, each in zip(request.plan.uses, found, strict=True)
    )
    tickets = () if wait else tuple(found)
    return TakeReply(wait, cause.decode(), bool(may_end_early), not is_unknown, views, tickets)


async def observe(
    keyspace: LimitsKeyspace,
    request: Request,
    tickets: Sequence[Mapping[str, Any]],
    counts: Mapping[str, Mapping[str, float]],
) -> int:
    """Set what is used to what the exchange counted at a call; return how many limits that concerned.

    Args:
        keyspace, request: the call.
        tickets: those of its admission.
        counts: limit -> ``{"used": …}`` or ``{"left": …}``.
    """
    return int(await keyspace.run(_OBSERVE, request.packed, _pack(list(tickets)), _pack(counts)))


async def settle(
    keyspace: LimitsKeyspace,
    request: Request,
    tickets: Sequence[Mapping[str, Any]],
    refunds: Mapping[str, float],
    *,
    ends: bool,
) -> int:
    """Give back what did not count; return how many limits were changed.

    Args:
        keyspace, request: the call.
        tickets: those of its admission.
        refunds: limit -> how much is given back.
        ends: whether its places among the calls under way end; if not, they are renewed.
    """
    return int(await keyspace.run(_SETTLE, request.packed, _pack(list(tickets)), _pack(refunds), int(ends)))


async def freeze(keyspace: LimitsKeyspace, scope: str, duration_ms: int) -> int:
    """Hold all calls, or those of a scope; return for how many ms they are held now."""
    return -(-int(await keyspace.run(_FREEZE, scope, duration_ms * 1000)) // 1000)


async def thaw(keyspace: LimitsKeyspace, scopes: Sequence[str]) -> int:
    """End the freezes of these scopes; return how many there were."""
    fields = [f"frozen:{scope}" for scope in scopes]
    return int(await keyspace.server.call("HDEL", f"{keyspace.base}head", *fields)) if fields else 0


async def set_most(keyspace: LimitsKeyspace, amounts: Mapping[str, float | None]) -> None:
    """Set amounts of limits for all processes; None goes back to what each declares."""
    head = f"{keyspace.base}head"
    for name, amount in amounts.items():
        if amount is None:
            await keyspace.server.call("HDEL", head, f"most:{name}")
        else:
            await keyspace.server.call("HSET", head, f"most:{name}", amount)


async def declare(keyspace: LimitsKeyspace, limits: Limits, queues: Sequence[str]) -> None:
    """Note on the server what the limits are, for those who look at them without the program.

    Args:
        keyspace, limits: the limits.
        queues: what a freeze holds, too.
    """
    declared = {
        "limits": [
            {"name": each.name, "kind": each.kind, "scope": list(each.scope), "cost": 0, **each.rule()}
            for each in limits.limits
        ],
        "freeze_scope": limits.freeze_scope,
        "queues": list(queues),
        "source": limits.source,
    }
    await keyspace.server.call("HSET", f"{keyspace.base}head", "declared", _pack(declared))
    await keyspace.server.call("HSET", limits_index(keyspace.naming), limits.name, "1")


async def names(server: Server, naming: Naming) -> list[str]:
    """Return the names of the limits that were used under a prefix, sorted."""
    found = await server.call("HGETALL", limits_index(naming))
    return sorted(name.decode(errors="replace") for name in found[::2])


async def look(keyspace: LimitsKeyspace) -> LimitsLook | None:
    """Return the limits as they are now; None where none of that name were ever used."""
    declared, frozen, rows = await keyspace.run(_LOOK, _LONGEST_LIST - 1)
    if declared is None:
        return None
    known = _unpack(declared)
    views = []
    for path, used, most in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        name, _, scope = path.decode(errors="replace").partition(":")
        views.append(LimitView(name, scope, float(used), float(most)))
    held = {scope.decode(errors="replace"): left for scope, left in zip(frozen[::2], frozen[1::2], strict=True)}
    scopes = {each["name"]: tuple(each["scope"]) for each in known["limits"]}
    return LimitsLook(
        tuple(sorted(views)), held, scopes, known["freeze_scope"], tuple(known["queues"]), known["source"]
    )

"""The limits of one exchange together, and what one call needs of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.limit import Bucket, Decay, Fixed, Gap, InFlight, Limit, Rolling, checked_scope

AfterFailover = Literal["conservative", "trust"]
Cost = Mapping[str, float] | float
"""What a call uses of each limit by its name; a number alone where there is one limit."""

EGRESS = "ip"
"""The scope whose value each process has from ``STOCKYARD_EGRESS``."""

_LONGEST_VALUE = 256
_MOST_LANES = 8
_FREEZES: Mapping[int, Duration] = MappingProxyType({429: "1s", 418: "2m"})


class LimitUse(NamedTuple):
    """What a call needs of one limit.

    Attributes:
        limit: the limit.
        scope: the values of its scope, as text: ``account=A1``; empty for a limit without one.
        cost: how much.
    """

    limit: Limit
    scope: str
    cost: float


class LimitPlan(NamedTuple):
    """What a call needs, resolved.

    Attributes:
        uses: of each limit that it costs something.
        lane: the lane whose reserves it may use; empty for none.
        frozen_scope: which freeze holds it beside that of all calls: ``ip=10.0.0.1``; empty for none.
    """

    uses: tuple[LimitUse, ...]
    lane: str
    frozen_scope: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one exchange, counted together for all processes.

    Args:
        name: begins their keys; letters, digits, '_', '.' and '-'.
        limits: ``Fixed``, ``Rolling``, ``Bucket``, ``Decay``, ``Gap``, ``InFlight``; each has a name of its own.
        reserve: lane -> its share of each limit, which no other lane may use; 0 for a lane that needs none.
            Calls name no other lanes then. Defaults to no reserves.
        freeze_on: status of a reply -> how long all calls wait after it, unless its ``Retry-After`` says so.
            Defaults to 1 s after 429 and 2 minutes after 418.
        freeze_scope: what is frozen then: all calls with the same value, as of ``"ip"``. Defaults to all calls.
        slow_start: time after a freeze in which calls come back, from a tenth of each limit to all of it. Defaults
            to 10 s; 0 is none.
        after_failover: ``"conservative"``: after the server was replaced, limits of up to ten minutes count as
            used up, as writes may have been lost. ``"trust"``: go on with what is there. Defaults to
            ``"conservative"``.
        queues: names of queues that a freeze holds, too: neither our workers nor BullMQ's on Node start a job of
            them meanwhile. Defaults to none.
        source: where the exchange documents these limits. Defaults to nothing.

    Raises:
        InvalidOption: a name is given twice, or an argument is out of its range.

    Example:
        binance = Limits(
            "binance",
            [Fixed("weight", 6000, per="1m", scope="ip"), Fixed("orders", 100, per="10s", scope="account")],
            reserve={"cancel": 0.10},
        )
    """

    name: str
    limits: Sequence[Limit]
    reserve: Mapping[str, float] = field(default_factory=dict)
    freeze_on: Mapping[int, Duration] = field(default_factory=lambda: _FREEZES)
    freeze_scope: str = ""
    slow_start: Duration = "10s"
    after_failover: AfterFailover = "conservative"
    queues: Sequence[str] = ()
    source: str = ""

    def __post_init__(self) -> None:
        checks.name("the name of limits", self.name)
        if ":" in self.name:
            raise InvalidOption(f"the name of limits has no ':'; got {self.name!r}")
        kinds = (Fixed, Rolling, Bucket, Decay, Gap, InFlight)
        limits = checks.several("limits", self.limits, of="limits")
        if not limits or not all(isinstance(each, kinds) for each in limits):
            listed = ", ".join(kind.__name__ for kind in kinds)
            raise InvalidOption(f"limits must be one of {listed}, or several; got {checks.shown(limits)}")
        names = [each.name for each in limits]
        if len(set(names)) < len(names):
            raise InvalidOption(f"a limit of {self.name!r} is declared twice: {', '.join(names)}")
        reserve = dict(checks.by_name("reserve", self.reserve, of="shares"))
        for lane, share in reserve.items():
            checks.text("a lane of reserve", lane)
            checks.number(f"reserve of lane {lane!r}", share, least=0, below=1)
        if len(reserve) > _MOST_LANES:
            raise InvalidOption(f"at most {_MOST_LANES} lanes have reserves; got {len(reserve)}")
        if sum(reserve.values()) >= 1:
            raise InvalidOption(f"reserves must leave something to all other calls; got {reserve!r}")
        freeze_on = dict(checks.by_name("freeze_on", self.freeze_on, of="durations"))
        for status, duration in freeze_on.items():
            checks.whole("a status of freeze_on", status, least=100, most=999)
            checks.positive_ms(f"freeze_on of status {status}", duration)
        if self.freeze_scope:
            checked_scope(self.freeze_scope, self.name)
        milliseconds(self.slow_start, option="slow_start")
        checks.one_of("after_failover", self.after_failover, ("conservative", "trust"))
        checks.line("source", self.source)
        queues = tuple(checks.text("a queue of limits", str(each)) for each in self.queues)
        # Frozen as a whole: what was given may be a list or a dict of the caller's.
        for name, value in (("limits", limits), ("queues", queues)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "reserve", MappingProxyType(reserve))
        object.__setattr__(self, "freeze_on", MappingProxyType(freeze_on))

    def __hash__(self) -> int:
        return hash(self.name)

    def __getitem__(self, name: str) -> Limit:
        """Return a limit by its name."""
        for each in self.limits:
            if each.name == name:
                return each
        raise InvalidOption(
            f"{self.name!r} has no limit {name!r}; it has {', '.join(x.name for x in self.limits)}"
        )

    def with_most(self, **most: float) -> Limits:
        """Return these limits with other amounts, as the exchange publishes them: ``with_most(weight=1200)``.

        Raises:
            InvalidOption: there is no limit of that name, it has no amount, or the amount is out of its range.
        """
        changed = {name: _with_most(self[name], amount) for name, amount in most.items()}
        return replace(self, limits=[changed.get(each.name, each) for each in self.limits])

    def plan(
        self, cost: Cost | None = None, scope: Mapping[str, str] | None = None, lane: str = "", *, egress: str = ""
    ) -> LimitPlan:
        """Resolve what a call needs.

        Args:
            cost: see ``Cost``. Defaults to 1 where there is one limit.
            scope: values by the names that the limits' scopes have.
            lane: that of the call; one of ``reserve``, if there are any.
            egress: the value of ``"ip"`` where ``scope`` has none.

        Raises:
            InvalidOption: a limit, a lane or a value is not known or missing, or the call costs more than a limit
                allows.
        """
        given = checks.by_name("scope", {} if scope is None else scope, of="values")
        values = {EGRESS: egress or "default", **given}
        if checks.line("lane", lane) and self.reserve:
            # One that is misspelt would have no reserve, and nobody would know before it is needed.
            checks.refuse_unknown([lane], self.reserve, what="lane", of=f"the limits {self.name!r}")
        uses = []
        costs = self._costs(cost)
        for name, amount in costs.items():
            checks.number(f"the cost of limit {self[name].name!r}", amount, least=0)
        # In the order of the declaration, as scripts know them.
        for limit in self.limits:
            amount = costs.get(limit.name, 0)
            if amount > 0:
                self.check_fits(limit, amount, lane)
                uses.append(LimitUse(limit, _scope_text(limit, values), amount))
        frozen = f"{self.freeze_scope}={_value(self.freeze_scope, values)}" if self.freeze_scope else ""
        return LimitPlan(tuple(uses), lane, frozen)

    def _costs(self, cost: Cost | None) -> Mapping[str, float]:
        if isinstance(cost, Mapping):
            return cost
        if len(self.limits) > 1:
            names = ", ".join(f"{each.name!r}: …" for each in self.limits)
            raise InvalidOption(
                f"{self.name!r} has several limits: say cost={{{names}}}; got {checks.shown(cost)}"
            )
        return {self.limits[0].name: 1 if cost is None else cost}

    def check_fits(self, limit: Limit, amount: float, lane: str, *, most: float | None = None) -> None:
        """Refuse a cost that a limit can never admit.

        Args:
            limit: one of these.
            amount: the cost.
            lane: that of the call: what is reserved for others is not its own.
            most: the limit's amount now. Defaults to the declared one.

        Raises:
            InvalidOption: it costs more than is ever left.
        """
        if isinstance(limit, Gap):
            return
        others = sum(share for other, share in self.reserve.items() if other != lane)
        largest = (limit.most if most is None else most) * (1 - others)
        if amount > largest + 1e-6:
            raise InvalidOption(
                f"a call that costs {amount:g} of limit {limit.name!r} of {self.name!r} can never be made: "
                f"{largest:g} is the most" + (" beside what is reserved for other lanes" if others else "")
            )


def _with_most(limit: Limit, amount: float) -> Limit:
    if isinstance(limit, Gap):
        raise InvalidOption(f"limit {limit.name!r} is a gap and has no amount")
    return replace(limit, burst=amount) if isinstance(limit, Bucket) else replace(limit, most=amount)


def scope_text(values: Mapping[str, str]) -> str:
    """Return values of a scope as text, sorted by name."""
    return ",".join(f"{name}={_escaped(values[name])}" for name in sorted(values))


def _scope_text(limit: Limit, values: Mapping[str, Any]) -> str:
    names = limit.scope if isinstance(limit.scope, tuple) else (limit.scope,)
    return ",".join(f"{name}={_value(name, values)}" for name in names)


def _value(name: str, values: Mapping[str, Any]) -> str:
    if name not in values:
        raise InvalidOption(f"the call has no {name!r}: say scope={{{name!r}: …}}")
    return _escaped(checks.text(f"the scope {name!r}", values[name], longest=_LONGEST_VALUE))


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace(",", "%2C")

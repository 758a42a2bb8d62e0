"""What an exchange counts: one limit, by the rule of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds

Kind = Literal["fixed", "rolling", "level", "gap", "inflight"]
"""How a limit is counted on the server."""
Refused = Literal["keep", "refund"]
_MOST = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What the limits have in common whose count an exchange may send back.

    Attributes:
        scope: what is counted apart: names of values that each call gives, such as ``"ip"`` or ``"account"``; one
            name, or several. Defaults to nothing: all calls count together.
        used_header: name of the reply's header that holds what is used. Defaults to none.
        left_header: name of the one that holds what is left. Defaults to none.
        refused: whether a call that the exchange refused counts: ``"keep"`` (the default) or ``"refund"``.
    """

    scope: str | tuple[str, ...] = ()
    used_header: str = ""
    left_header: str = ""
    refused: Refused = "keep"

    def _check(self, name: str) -> None:
        _check_name(name)
        object.__setattr__(self, "scope", checked_scope(self.scope, name))
        for option in ("used_header", "left_header"):
            checks.line(f"{option} of limit {name!r}", getattr(self, option))
        checks.one_of(f"refused of limit {name!r}", self.refused, ("keep", "refund"))


@dataclass(frozen=True, slots=True)
class _Windowed(_Counted):
    """What the limits have in common that hold within a window."""

    name: str
    most: float
    per: Duration

    def __post_init__(self) -> None:
        self._check(self.name)
        _check_most(self.name, self.most)
        checks.positive_ms(f"per of limit {self.name!r}", self.per)

    def rule(self) -> dict[str, Any]:
        """Return what the server needs to know."""
        return {"most": self.most, "span": _span(self.per)}


@dataclass(frozen=True, slots=True)
class Fixed(_Windowed):
    """At most ``most`` in each window of ``per``; windows are aligned to the clock, as Binance counts.

    A minute begins at :00, ten seconds at :00, :10 and so on, a day at 00:00 UTC.

    Args:
        name: of the limit, as costs name it.
        most: what may be used in one window.
        per: the window.

    Raises:
        InvalidOption: an argument is out of its range.
    """

    kind: ClassVar[Kind] = "fixed"


@dataclass(frozen=True, slots=True)
class Rolling(_Windowed):
    """At most ``most`` in any window of ``per``: what was used counts until it is ``per`` old.

    It is also right where the exchange counts in fixed windows of that size: choose it when you do not know.

    Args:
        name: of the limit, as costs name it.
        most: what may be used within ``per``.
        per: the window.

    Raises:
        InvalidOption: an argument is out of its range.
    """

    kind: ClassVar[Kind] = "rolling"


@dataclass(frozen=True, slots=True)
class Bucket(_Counted):
    """A bucket of ``burst`` tokens that fills with ``rate`` tokens a second; a call takes as many as it costs.

    Args:
        name: of the limit, as costs name it.
        rate: tokens a second.
        burst: tokens that the full bucket holds.

    Raises:
        InvalidOption: an argument is out of its range.
    """

    name: str
    rate: float
    burst: float
    kind: ClassVar[Kind] = "level"

    def __post_init__(self) -> None:
        self._check(self.name)
        _check_rate(self.name, self.rate, "rate")
        _check_most(self.name, self.burst, "burst")

    @property
    def most(self) -> float:
        """What may be used at once."""
        return self.burst

    def rule(self) -> dict[str, Any]:
        """Return what the server needs to know."""
        return {"most": self.burst, "rate": self.rate / 1e6}


@dataclass(frozen=True, slots=True)
class Decay(_Counted):
    """A counter that each call raises by its cost and that sinks by ``per_second``, as Kraken counts.

    Args:
        name: of the limit, as costs name it.
        most: what the counter may reach.
        per_second: what it sinks by in a second.

    Raises:
        InvalidOption: an argument is out of its range.
    """

    name: str
    most: float
    per_second: float
    kind: ClassVar[Kind] = "level"

    def __post_init__(self) -> None:
        self._check(self.name)
        _check_most(self.name, self.most)
        _check_rate(self.name, self.per_second, "per_second")

    def rule(self) -> dict[str, Any]:
        """Return what the server needs to know."""
        return {"most": self.most, "rate": self.per_second / 1e6}


@dataclass(frozen=True, slots=True)
class Gap:
    """At least ``least`` between two calls, as between two equal requests to Interactive Brokers.

    Any cost above 0 makes a call count.

    Args:
        name: of the limit, as costs name it.
        least: time from one call to the next.
        scope: that of the other kinds.

    Raises:
        InvalidOption: an argument is out of its range.
    """

    name: str
    least: Duration
    scope: str | tuple[str, ...] = ()
    kind: ClassVar[Kind] = "gap"
    refused: ClassVar[Refused] = "keep"
    used_header: ClassVar[str] = ""
    left_header: ClassVar[str] = ""

    def __post_init__(self) -> None:
        _check_name(self.name)
        checks.positive_ms(f"least of limit {self.name!r}", self.least)
        object.__setattr__(self, "scope", checked_scope(self.scope, self.name))

    @property
    def most(self) -> float:
        """Nothing: a cost is 0 or above."""
        return float("inf")

    def rule(self) -> dict[str, Any]:
        """Return what the server needs to know."""
        return {"most": 1, "span": _span(self.least)}


@dataclass(frozen=True, slots=True)
class InFlight:
    """At most ``most`` calls at a time; one counts until its block ends.

    Args:
        name: of the limit, as costs name it.
        most: calls that may be under way.
        lease: how long the call of a process that died counts on; running calls renew theirs. Defaults to 30 s.
        scope: that of the other kinds.

    Raises:
        InvalidOption: an argument is out of its range.
    """

    name: str
    most: float
    lease: Duration = "30s"
    scope: str | tuple[str, ...] = ()
    kind: ClassVar[Kind] = "inflight"
    refused: ClassVar[Refused] = "keep"
    used_header: ClassVar[str] = ""
    left_header: ClassVar[str] = ""

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_most(self.name, self.most)
        checks.positive_ms(f"lease of limit {self.name!r}", self.lease, least=100)
        object.__setattr__(self, "scope", checked_scope(self.scope, self.name))

    def rule(self) -> dict[str, Any]:
        """Return what the server needs to know."""
        return {"most": self.most, "span": _span(self.lease)}


Limit = Fixed | Rolling | Bucket | Decay | Gap | InFlight


@dataclass(frozen=True, slots=True)
class AgeCost:
    """What a call costs by the age of what it concerns, as a cancel on Kraken.

    Args:
        steps: age in seconds below which a cost holds, to that cost.
        oldest: the cost at and above the greatest age. Defaults to 0.

    Raises:
        InvalidOption: there is no step, or an age or a cost is negative.

    Example:
        cancel = AgeCost({5: 8, 10: 6, 15: 5, 45: 4, 90: 2, 300: 1})
        limits.take(cost={"counter": cancel.at(time.time() - order.placed_at)})
    """

    steps: Mapping[float, float]
    oldest: float = 0
    _sorted: tuple[tuple[float, float], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checks.number("oldest", self.oldest, least=0)
        if not self.steps:
            raise InvalidOption("an AgeCost has one step or more, as in AgeCost({5: 8, 10: 6})")
        for age, cost in self.steps.items():
            checks.number("an age of AgeCost", age, least=0)
            checks.number("a cost of AgeCost", cost, least=0)
        object.__setattr__(self, "_sorted", tuple(sorted(self.steps.items())))

    def at(self, age: Duration) -> float:
        """Return the cost at an age."""
        seconds = milliseconds(age, option="age") / 1000
        return next((cost for below, cost in self._sorted if seconds < below), self.oldest)


def checked_scope(scope: Any, name: str) -> tuple[str, ...]:
    """Return the names of a scope's values, sorted."""
    names = (scope,) if isinstance(scope, str) and scope else tuple(scope or ())
    for each in names:
        checks.name(f"a scope of limit {name!r}", each)
    return tuple(sorted(names))


def _check_name(name: Any) -> None:
    checks.name("the name of a limit", name)
    if ":" in name:
        raise InvalidOption(f"the name of a limit has no ':'; got {name!r}")


def _check_most(name: str, most: Any, option: str = "most") -> None:
    if checks.number(f"{option} of limit {name!r}", most, least=0, most=_MOST) == 0:
        raise InvalidOption(f"{option} of limit {name!r} must be above 0; to stop all calls, freeze the limits")


def _check_rate(name: str, rate: Any, option: str) -> None:
    if checks.number(f"{option} of limit {name!r}", rate, least=0, most=_MOST) == 0:
        raise InvalidOption(f"{option} of limit {name!r} must be above 0")


def _span(duration: Duration) -> int:
    """Return a duration in microseconds."""
    return milliseconds(duration, option="per") * 1000

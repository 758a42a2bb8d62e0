"""What a job's call uses of the limits of an exchange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stockyard.model import checks


class LimitUse(msgspec.Struct, frozen=True):
    """What a job's call uses of the limits that its queue declares.

    Attributes:
        cost: of each limit by its name; a number where there is one limit; None where it was not said.
        scope: values by name.
        lane: that of the call; empty for none.
    """

    cost: tuple[tuple[str, float], ...] | float | None = None
    scope: tuple[tuple[str, str], ...] = ()
    lane: str = ""

    def merged(self, options: Mapping[str, Any]) -> LimitUse | None:
        """Return this with the options ``cost``, ``scope`` and ``lane`` checked and laid over it.

        Raises:
            InvalidOption: one is not of its kind.
        """
        cost, scope, lane = options.get("cost", self.cost), options.get("scope", self.scope), self.lane
        if isinstance(cost, Mapping):
            given = {checks.text("a limit of cost", name): amount for name, amount in cost.items()}
            cost = tuple(
                (name, checks.number(f"the cost of {name!r}", each, least=0)) for name, each in given.items()
            )
        elif cost is not None and not isinstance(cost, tuple):
            cost = checks.number("cost", cost, least=0)
        if not isinstance(scope, tuple):
            values = checks.by_name("scope", {} if scope is None else scope, of="values")
            scope = tuple((str(name), checks.text(f"the scope {name!r}", value)) for name, value in values.items())
        if "lane" in options:
            lane = checks.line("lane", options["lane"])
        use = LimitUse(cost, scope, lane)
        return None if use == LimitUse() else use

    @property
    def costs(self) -> Mapping[str, float] | float | None:
        """The cost as ``Limits.plan`` takes it."""
        return dict(self.cost) if isinstance(self.cost, tuple) else self.cost

"""What one HTTP request uses of limits, as the hooks of HTTP clients ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stockyard.model.limits import Cost


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request uses; see ``OpenLimits.take``.

    Attributes:
        cost: of each limit by its name; a number alone where there is one limit.
        scope: values by name, such as ``{"account": "A1"}``.
        lane: whose reserves it may use.
    """

    cost: Cost | None = None
    scope: Mapping[str, str] = field(default_factory=dict)
    lane: str = ""

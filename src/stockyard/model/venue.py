"""What a venue does with a request that it gets twice, and what its answers prove."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.effect_record import EffectRecord

Delivery = Literal["at_least_once", "at_most_once"]
"""What happens to a job whose worker is lost: it runs again, or, unless it began an effect, it is unknown."""

Verify = Literal["authoritative", "eventual"]
_WINDOW = "window:"


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a venue, by which a later attempt decides what to do about an effect whose outcome is unknown.

    Args:
        dedup: for how long the venue refuses or ignores a second request with the same key: ``"never"``;
            ``"open_orders"``, while the first order is open, which a filled one is not; ``"window:10m"``, for that
            time; ``"forever"``. An effect is sent again only inside a window or where it is for ever.
        verify: what a query for the key proves that finds nothing: ``None``, the default, nothing;
            ``"authoritative"``, that it was not applied, once no request can be on its way any more;
            ``"eventual"``, the same, but the query may lag behind: that lag is a part of ``settle``.
        settle: how long after the effect's deadline a request that was sent may still be applied or be missing
            from a query: the venue's receive window, its engine's time-out, skew and lag. Defaults to 0.
        name: of the venue, for messages.
        source: where its rules are documented.

    Raises:
        InvalidOption: a rule is none of these, or ``"eventual"`` comes without ``settle``.
    """

    dedup: str = "never"
    verify: Verify | None = None
    settle: Duration = 0
    name: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if checks.is_text(self.dedup) and self.dedup.startswith(_WINDOW):
            checks.positive_ms("the window of dedup", self.dedup.removeprefix(_WINDOW))
        elif self.dedup not in ("never", "open_orders", "forever"):
            raise InvalidOption(
                "dedup must be 'never', 'open_orders', 'forever', or a window such as 'window:10m'; "
                f"got {checks.shown(self.dedup)}"
            )
        if self.verify is not None:
            checks.one_of("verify", self.verify, ("authoritative", "eventual"))
        settle = self.settle_ms
        if self.verify == "eventual" and not settle:
            raise InvalidOption(
                "verify='eventual' needs settle: how long a request may be missing from the venue's answers, as "
                "in settle='16s'"
            )
        checks.line("name", self.name)
        checks.line("source", self.source)

    @property
    def settle_ms(self) -> int:
        """``settle`` in milliseconds."""
        return milliseconds(self.settle, option="settle")

    @property
    def window_ms(self) -> int:
        """How long it ignores a second request, in milliseconds; 0 unless ``dedup`` is a window."""
        if not self.dedup.startswith(_WINDOW):
            return 0
        return milliseconds(self.dedup.removeprefix(_WINDOW), option="the window of dedup")


class Applied(msgspec.Struct, frozen=True):
    """The answer of ``on_unknown`` that an effect was applied.

    Attributes:
        value: what the venue said of it; a job that is tried again returns this. Defaults to None.
        note: for the record. Defaults to none.
    """

    value: Any = None
    note: str = ""


Answer = Applied | Literal["applied", "not_applied", "unknown"] | None
"""What ``on_unknown`` says: ``Applied(value)`` or ``"applied"``; ``"not_applied"``; ``"unknown"`` or None."""

UnknownHandler = Callable[[EffectRecord], Awaitable[Answer]]
"""The reconciliation of a queue: ``async def on_unknown(effect)`` asks the venue what became of an effect."""

"""What is used of limits, and what this process did with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import monotonic

from stockyard._store.limits.limiting import LimitView

_REMEMBERED_SECONDS = 60.0
_MOST_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class LimitUsage:
    """One limit in one scope.

    Attributes:
        limit: its name.
        scope: values of its scope, as text: ``account=A1``; empty for a limit without one.
        used: what counts now.
        most: its amount.
    """

    limit: str
    scope: str
    used: float
    most: float

    @property
    def left(self) -> float:
        """What may still be used."""
        return max(0.0, self.most - self.used)


@dataclass(frozen=True, slots=True)
class LimitsStatus:
    """The limits of one exchange at one moment, as all processes see them.

    Attributes:
        name: of the limits.
        usage: every limit in every scope that was used of late.
        frozen: scope -> seconds for which its calls are held; the empty scope is all calls.
        source: where the exchange documents its limits; empty if it was not said.
    """

    name: str
    usage: tuple[LimitUsage, ...]
    frozen: Mapping[str, float]
    source: str


@dataclass(frozen=True, slots=True)
class LimitsStats:
    """What this process did with the limits of one exchange.

    Attributes:
        admitted: calls that were admitted.
        waited: of these, those that had to wait.
        waiting: calls that wait now.
        wait_seconds: what all calls waited, in sum.
        freezes: how often a reply, or this program, froze the limits.
        frozen_seconds: for how long calls are held from now on, as far as this process knows.
        usage: the limits that it used within the last minute, as it saw them last.
    """

    admitted: int = 0
    waited: int = 0
    waiting: int = 0
    wait_seconds: float = 0.0
    freezes: int = 0
    frozen_seconds: float = 0.0
    usage: tuple[LimitUsage, ...] = ()


class Counts:
    """The counters behind ``LimitsStats``."""

    def __init__(self) -> None:
        self.admitted = self.waited = self.waiting = self.freezes = 0
        self.wait_seconds = 0.0
        self._frozen_until = 0.0
        self._seen: dict[tuple[str, str], tuple[float, LimitUsage]] = {}

    def note_freeze(self, seconds: float) -> None:
        """Note for how long calls are held."""
        self._frozen_until = monotonic() + seconds

    def note_usage(self, views: Iterable[LimitView]) -> None:
        """Note what limits were seen at."""
        now = monotonic()
        for view in views:
            place = view.name, view.scope
            self._seen.pop(place, None)
            self._seen[place] = now, LimitUsage(*view)
        while len(self._seen) > _MOST_REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def snapshot(self) -> LimitsStats:
        """Return them as they are now."""
        now = monotonic()
        seen = [usage for at, usage in list(self._seen.values()) if now - at <= _REMEMBERED_SECONDS]
        return LimitsStats(
            self.admitted,
            self.waited,
            self.waiting,
            self.wait_seconds,
            self.freezes,
            max(0.0, self._frozen_until - now),
            tuple(seen),
        )

"""Counts what a worker's jobs did, and how long they waited and ran, at a cost that no worker notices."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the histograms in seconds; one more bucket holds what is longer."""

MOST_NAMES = 100
"""Job names counted apart; the rest count together as ``OTHER``, for names may come from anywhere."""

OTHER = "other"


class Spread:
    """A histogram of seconds.

    Attributes:
        counts: observations by bucket of ``BUCKETS``, the longer ones last.
        total: sum of what was observed.
    """

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Tally:
    """What the jobs of one name did in this process.

    Attributes:
        completed, failed, retried, moved: ends of runs; ``moved`` counts those handed back, delayed or limited.
        wait: from when a job might have run to its first start.
        run: from the start of an attempt to its end.
    """

    completed: int = 0
    failed: int = 0
    retried: int = 0
    moved: int = 0
    wait: Spread = field(default_factory=Spread)
    run: Spread = field(default_factory=Spread)


class Meter:
    """The tallies of one worker, by job name.

    Attributes:
        stalled: jobs of dead workers that it handed back.
    """

    def __init__(self) -> None:
        self.stalled = 0
        self._tallies: dict[str, Tally] = {}

    def of(self, name: str) -> Tally:
        """Return the tally of a job name."""
        tally = self._tallies.get(name)
        if tally is None:
            if len(self._tallies) >= MOST_NAMES:
                name = OTHER
            tally = self._tallies.setdefault(name, Tally())
        return tally

    def tallies(self) -> Sequence[tuple[str, Tally]]:
        """Return the tallies by job name."""
        return list(self._tallies.items())

"""Counts what a worker's jobs did, and how long they waited and ran, at a cost that no worker notices."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

import msgspec

from stockyard.model.outcome import Completed, Delayed, Expired, Failed, Outcome, Requeued, Retried

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the histograms in seconds; one more bucket holds what is longer."""

_SHORTEST = BUCKETS[0]

MOST_NAMES = 100
"""Job names counted apart; the rest count together as ``OTHER``, for names may come from anywhere."""

OTHER = "other"
"""Those that the worker has no handler for count as this, too."""


class Histogram:
    """A histogram of seconds.

    Attributes:
        counts: observations by bucket of ``BUCKETS``, the longer ones last.
        total: sum of what was observed.
    """

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts: list[int] = [0] * (len(BUCKETS) + 1)
        self.total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(BUCKETS, seconds) if seconds > _SHORTEST else 0] += 1
        self.total += seconds

    def add(self, other: Histogram) -> None:
        """Count what another observed."""
        self.counts = [ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total


class JobCounters(msgspec.Struct):
    """What the jobs of one name did in this process.

    Attributes:
        completed, failed, retried: runs that used up an attempt, by how they ended.
        expired: jobs that ended as they did not start in time, or would have been tried again too late.
        requeued, delayed, waiting_children: runs that used up no attempt, by where their jobs went. A run that
            ended by a rate limit counts as requeued.
        batches: calls of a handler of batches.
        wait: from when a job might have run to its first start.
        run: from the start of an attempt to its end.
    """

    completed: int = 0
    failed: int = 0
    retried: int = 0
    expired: int = 0
    requeued: int = 0
    delayed: int = 0
    waiting_children: int = 0
    batches: int = 0
    wait: Histogram = msgspec.field(default_factory=Histogram)
    run: Histogram = msgspec.field(default_factory=Histogram)

    def started(self, waited_ms: int) -> None:
        """Count a job's first start, so long after it might have run."""
        self.wait.observe(waited_ms / 1000 if waited_ms > 0 else 0.0)

    def ended(self, outcome: Outcome, seconds: float | None) -> None:
        """Count the end of a run; ``seconds`` is None for a job that never ran."""
        kind = type(outcome)
        if kind is Completed:
            self.completed += 1
        elif kind is Failed:
            self.failed += 1
        elif kind is Retried:
            self.retried += 1
        elif kind is Expired:
            self.expired += 1
            return
        elif kind is Requeued:
            self.requeued += 1
            return
        elif kind is Delayed:
            self.delayed += 1
            return
        else:
            self.waiting_children += 1
            return
        if seconds is not None:
            self.run.observe(seconds)

    def add(self, other: JobCounters) -> None:
        """Count what another counted."""
        self.completed += other.completed
        self.failed += other.failed
        self.retried += other.retried
        self.expired += other.expired
        self.requeued += other.requeued
        self.delayed += other.delayed
        self.waiting_children += other.waiting_children
        self.batches += other.batches
        self.wait.add(other.wait)
        self.run.add(other.run)


class WorkerMetrics:
    """The counters of one worker, by job name; written by its loop, read from any thread.

    Args:
        serves: says whether the worker has a handler for a job name. Defaults to all.

    Attributes:
        stalled: jobs of dead workers that it handed back.
        abandoned: threads that were given up while their functions ran.
        hung: those of them that run still.
        blocked: times that a handler held up the event loop.
        blocked_seconds: for how long in all.
    """

    def __init__(self, serves: Callable[[str], bool] = lambda _name: True) -> None:
        self.stalled: int = 0
        self.abandoned: int = 0
        self.hung: int = 0
        self.blocked: int = 0
        self.blocked_seconds: float = 0.0
        self._serves = serves
        self._by_name: dict[str, JobCounters] = {}

    def of(self, name: str) -> JobCounters:
        """Return the counters of a job name."""
        counters = self._by_name.get(name)
        if counters is None:
            if len(self._by_name) >= MOST_NAMES or not self._serves(name):
                name = OTHER
            counters = self._by_name.setdefault(name, JobCounters())
        return counters

    def add(self, other: WorkerMetrics) -> None:
        """Count what another counted."""
        self.stalled += other.stalled
        self.abandoned += other.abandoned
        self.hung += other.hung
        self.blocked += other.blocked
        self.blocked_seconds += other.blocked_seconds
        for name, counters in other.by_name():
            self.of(name).add(counters)

    def by_name(self) -> Sequence[tuple[str, JobCounters]]:
        """Return the counters by job name."""
        return list(self._by_name.items())

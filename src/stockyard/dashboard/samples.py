"""What was seen of all queues of late: rates and ages over time, kept while the overview is watched."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from stockyard.observe.health import QueueHealth

SECONDS = 300
"""How far back samples go."""
_RATE_SECONDS = 10.0
"""The time over which a rate is measured."""


class Sample(NamedTuple):
    """All queues at one moment.

    Attributes:
        at: seconds, by a steady clock.
        queues: by name.
    """

    at: float
    queues: dict[str, QueueHealth]


class Rates(NamedTuple):
    """Jobs of a queue that ended per second."""

    completed: float
    failed: float


class Samples:
    """The samples of the last five minutes. Pure: the clock's time is given."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    def add(self, at: float, queues: Sequence[QueueHealth]) -> None:
        """Keep what was seen at a time; looks of several pages within a second count once."""
        if self._samples and at - self._samples[-1].at < 0.9:
            return
        self._samples.append(Sample(at, {queue.name: queue for queue in queues}))
        while at - self._samples[0].at > SECONDS:
            self._samples.popleft()

    def rates(self, name: str) -> Rates | None:
        """Return how many jobs of a queue end per second; None until there are two samples."""
        if len(self._samples) < 2:
            return None
        last = self._samples[-1]
        first = next(sample for sample in self._samples if last.at - sample.at <= _RATE_SECONDS)
        if first is last:
            first = self._samples[-2]
        return _between(first, last, name)

    def ended(self, name: str) -> list[float | None]:
        """Return how many jobs of a queue ended per second, from sample to sample."""
        samples = list(self._samples)
        found: list[float | None] = []
        for before, after in pairwise(samples):
            between = _between(before, after, name)
            found.append(None if between is None else between.completed + between.failed)
        return found

    def oldest_waiting(self, name: str) -> list[float | None]:
        """Return for how many seconds the oldest waiting job of a queue had waited, at each sample."""
        return [
            sample.queues[name].oldest_waiting_age if name in sample.queues else None for sample in self._samples
        ]

    @property
    def seconds(self) -> float:
        """How far back the samples go."""
        return self._samples[-1].at - self._samples[0].at if self._samples else 0.0


def _between(before: Sample, after: Sample, name: str) -> Rates | None:
    then, now, span = before.queues.get(name), after.queues.get(name), after.at - before.at
    if then is None or now is None or span <= 0:
        return None
    # A queue that was obliterated meanwhile counts from nothing again.
    completed = max(now.completed_total - then.completed_total, 0)
    failed = max(now.failed_total - then.failed_total, 0)
    return Rates(completed / span, failed / span)

"""How long jobs waited and ran: shares of what workers of this process saw, and of the latest jobs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from stockyard.consume.worker_metrics import BUCKETS, Histogram
from stockyard.model.job import Job


class Quantiles(NamedTuple):
    """Seconds that half, and 95 of 100, jobs took at most; None where none was seen."""

    half: float | None
    most: float | None


class Latency(NamedTuple):
    """How long the jobs of a queue waited and ran.

    Attributes:
        jobs: how many were seen.
        wait: from when a job might have run to its start.
        run: from its start to its end.
    """

    jobs: int
    wait: Quantiles
    run: Quantiles


def latency_of_jobs(jobs: Iterable[Job[Any]]) -> Latency:
    """Return how long jobs that have ended waited for their last start, and ran."""
    waits, runs = [], []
    for job in jobs:
        if job.processed_on is None or job.finished_on is None:
            continue
        if job.attempts_made <= 1:
            waits.append(max(job.processed_on - job.timestamp - job.delay_ms, 0) / 1000)
        runs.append(max(job.finished_on - job.processed_on, 0) / 1000)
    return Latency(len(runs), _of_values(waits), _of_values(runs))


def latency_of_histograms(waits: Sequence[Histogram], runs: Sequence[Histogram]) -> Latency:
    """Return what workers of this process counted; each figure is the upper end of its bucket."""
    return Latency(sum(sum(each.counts) for each in runs), _of_buckets(waits), _of_buckets(runs))


def _of_values(values: list[float]) -> Quantiles:
    if not values:
        return Quantiles(None, None)
    values.sort()
    return Quantiles(values[len(values) // 2], values[min(len(values) * 95 // 100, len(values) - 1)])


def _of_buckets(histograms: Sequence[Histogram]) -> Quantiles:
    counts = [sum(numbers) for numbers in zip(*(each.counts for each in histograms), strict=True)]
    if not sum(counts):
        return Quantiles(None, None)
    return Quantiles(_below(counts, 0.5), _below(counts, 0.95))


def _below(counts: Sequence[int], share: float) -> float:
    wanted, below = sum(counts) * share, 0
    for bound, number in zip((*BUCKETS, BUCKETS[-1]), counts, strict=True):
        below += number
        if below >= wanted:
            return bound
    return BUCKETS[-1]

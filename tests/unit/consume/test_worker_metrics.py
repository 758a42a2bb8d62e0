"""What a worker counts."""

import pytest

from stockyard.consume.worker_metrics import BUCKETS, MOST_NAMES, OTHER, JobCounters, WorkerMetrics
from stockyard.model.outcome import (
    Completed,
    Delayed,
    Expired,
    Failed,
    Outcome,
    Requeued,
    Retried,
    WaitingChildren,
)

ENDS: list[tuple[Outcome, str]] = [
    (Completed("null", None), "completed"),
    (Failed("no", (), 1, None), "failed"),
    (Retried("no", (), 0, False), "retried"),
    (Expired("late"), "expired"),
    (Requeued(), "requeued"),
    (Delayed(5), "delayed"),
    (WaitingChildren(), "waiting_children"),
]


@pytest.mark.parametrize(("outcome", "counted"), ENDS, ids=lambda each: type(each).__name__)
def test_each_end_counts_once_and_as_what_it_is(outcome: Outcome, counted: str) -> None:
    counters = JobCounters()
    counters.ended(outcome, 0.5)
    kinds = [kind for _, kind in ENDS]
    assert [each for each in kinds if getattr(counters, each)] == [counted]


def test_only_attempts_that_ran_to_their_end_tell_how_long_one_takes() -> None:
    counters = JobCounters()
    counters.ended(Requeued(), 0.5)
    counters.ended(Failed("never run", (), 1, None), None)
    assert sum(counters.run.counts) == 0
    counters.ended(Failed("no", (), 1, None), 0.5)
    assert (sum(counters.run.counts), counters.run.total) == (1, 0.5)


def test_what_is_as_long_as_a_bound_is_within_it() -> None:
    counters = JobCounters()
    for seconds in (0.001, 0.0011, 300, 301):
        counters.run.observe(seconds)
    assert (counters.run.counts[0], counters.run.counts[1], *counters.run.counts[-2:]) == (1, 1, 1, 1)
    assert len(counters.run.counts) == len(BUCKETS) + 1


def test_clocks_that_differ_make_no_negative_wait() -> None:
    counters = JobCounters()
    counters.started(-700)
    counters.started(1500)
    assert (counters.wait.counts[0], counters.wait.total) == (1, 1.5)


def test_names_that_nobody_serves_count_together() -> None:
    metrics = WorkerMetrics({"fill", "cancel"}.__contains__)
    for name in ("fill", "fil", "x" * 1000, "cancel", "fill"):
        metrics.of(name).completed += 1
    assert {name: counters.completed for name, counters in metrics.by_name()} == {"fill": 2, OTHER: 2, "cancel": 1}


def test_names_from_anywhere_cannot_fill_the_memory() -> None:
    metrics = WorkerMetrics()
    for number in range(MOST_NAMES * 3):
        metrics.of(f"name-{number}").completed += 1
    counted = dict(metrics.by_name())
    assert len(counted) == MOST_NAMES + 1
    assert counted[OTHER].completed == MOST_NAMES * 2


def test_a_meter_adds_what_another_counted() -> None:
    kept, gone = WorkerMetrics(), WorkerMetrics()
    for metrics, seconds in ((kept, 0.5), (gone, 0.002), (gone, 0.5)):
        metrics.stalled += 1
        metrics.of("fill").started(1)
        metrics.of("fill").ended(Completed("null", None), seconds)
    gone.of("reject").ended(Failed("no", (), 1, None), None)
    kept.add(gone)
    by_name = dict(kept.by_name())
    assert (kept.stalled, by_name["fill"].completed, by_name["reject"].failed) == (3, 3, 1)
    assert by_name["fill"].run.counts[BUCKETS.index(0.5)] == 2
    assert sum(by_name["fill"].wait.counts) == 3
    assert by_name["fill"].run.total == pytest.approx(1.002)

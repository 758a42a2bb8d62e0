"""What a worker counts."""

import pytest

from stockyard.consume.meter import BUCKETS, MOST_NAMES, OTHER, Meter, Tally
from stockyard.model.outcome import (
    AwaitingChildren,
    Completed,
    Failed,
    HandedBack,
    Outcome,
    Postponed,
    Retried,
)

ENDS: list[tuple[Outcome, str]] = [
    (Completed("null", None), "completed"),
    (Failed("no", (), 1, None), "failed"),
    (Retried("no", (), 0, False), "retried"),
    (HandedBack(), "moved"),
    (Postponed(5), "moved"),
    (AwaitingChildren(), "moved"),
]


@pytest.mark.parametrize(("outcome", "counted"), ENDS, ids=lambda each: type(each).__name__)
def test_each_end_counts_once_and_as_what_it_is(outcome: Outcome, counted: str) -> None:
    tally = Tally()
    tally.ended(outcome, 0.5)
    kinds = ("completed", "failed", "retried", "moved")
    assert [each for each in kinds if getattr(tally, each)] == [counted]


def test_only_attempts_that_ran_to_their_end_tell_how_long_one_takes() -> None:
    tally = Tally()
    tally.ended(HandedBack(), 0.5)
    tally.ended(Failed("never run", (), 1, None), None)
    assert sum(tally.run.counts) == 0
    tally.ended(Failed("no", (), 1, None), 0.5)
    assert (sum(tally.run.counts), tally.run.total) == (1, 0.5)


def test_what_is_as_long_as_a_bound_is_within_it() -> None:
    tally = Tally()
    for seconds in (0.001, 0.0011, 300, 301):
        tally.run.observe(seconds)
    assert (tally.run.counts[0], tally.run.counts[1], *tally.run.counts[-2:]) == (1, 1, 1, 1)
    assert len(tally.run.counts) == len(BUCKETS) + 1


def test_clocks_that_differ_make_no_negative_wait() -> None:
    tally = Tally()
    tally.started(-700)
    tally.started(1500)
    assert (tally.wait.counts[0], tally.wait.total) == (1, 1.5)


def test_names_that_nobody_serves_count_together() -> None:
    meter = Meter({"fill", "cancel"}.__contains__)
    for name in ("fill", "fil", "x" * 1000, "cancel", "fill"):
        meter.of(name).completed += 1
    assert {name: tally.completed for name, tally in meter.tallies()} == {"fill": 2, OTHER: 2, "cancel": 1}


def test_names_from_anywhere_cannot_fill_the_memory() -> None:
    meter = Meter()
    for number in range(MOST_NAMES * 3):
        meter.of(f"name-{number}").completed += 1
    counted = dict(meter.tallies())
    assert len(counted) == MOST_NAMES + 1
    assert counted[OTHER].completed == MOST_NAMES * 2


def test_a_meter_adds_what_another_counted() -> None:
    kept, gone = Meter(), Meter()
    for meter, seconds in ((kept, 0.5), (gone, 0.002), (gone, 0.5)):
        meter.stalled += 1
        meter.of("fill").started(1)
        meter.of("fill").ended(Completed("null", None), seconds)
    gone.of("reject").ended(Failed("no", (), 1, None), None)
    kept.add(gone)
    tallies = dict(kept.tallies())
    assert (kept.stalled, tallies["fill"].completed, tallies["reject"].failed) == (3, 3, 1)
    assert tallies["fill"].run.counts[BUCKETS.index(0.5)] == 2
    assert sum(tallies["fill"].wait.counts) == 3
    assert tallies["fill"].run.total == pytest.approx(1.002)

"""Schedules as values: which times follow, and when a run counts as missed."""

import pytest

from stockyard import JobOptions, Schedule, Timing

HOUR, MINUTE = 3_600_000, 60_000
NOON = 1_900_000_800_000


def schedule(timing: Timing, *, run_number: int = 1) -> Schedule:
    return Schedule(
        id="s",
        queue="q",
        job_name="s",
        data={},
        options=JobOptions(),
        timing=timing,
        next_run=NOON,
        next_job_id="",
        has_next=True,
        run_number=run_number,
        runs_made=9,
    )


@pytest.mark.parametrize(
    ("timing", "run_number", "expected"),
    [
        (Timing(every_ms=HOUR), 1, [0, 1, 2, 3]),
        (Timing(every_ms=HOUR, limit=3), 2, [0, 1]),
        (Timing(every_ms=HOUR, limit=3), 4, []),
        (Timing(every_ms=HOUR, end=NOON + 2 * HOUR), 1, [0, 1, 2]),
        (Timing(every_ms=HOUR, end=NOON - 1), 1, []),
        (Timing(cron="0 */2 * * *", tz="UTC"), 1, [0, 2, 4, 6]),
        (Timing(cron="0 * * * *", tz="UTC", end=NOON + HOUR), 1, [0, 1]),
    ],
)
def test_what_is_to_come(timing: Timing, run_number: int, expected: list[int]) -> None:
    found = schedule(timing, run_number=run_number).upcoming(4)
    assert [(moment - NOON) / HOUR for moment in found] == expected


@pytest.mark.parametrize(
    ("timing", "late", "is_missed"),
    [
        (Timing(every_ms=HOUR), MINUTE, False),
        (Timing(every_ms=HOUR), MINUTE + 1, True),
        (Timing(every_ms=5000), 4999, False),
        (Timing(every_ms=5000), 5000, True),
        (Timing(every_ms=10), 1000, False),
        (Timing(every_ms=10), 1001, True),
        (Timing(cron="*/10 * * * * *", tz="UTC"), 9999, False),
        (Timing(cron="*/10 * * * * *", tz="UTC"), 10_000, True),
        (Timing(cron="0 0 1 1 *", tz="UTC"), MINUTE, False),
        (Timing(cron="0 0 1 1 *", tz="UTC", end=NOON), MINUTE + 1, True),
    ],
)
def test_when_a_run_is_missed(timing: Timing, late: int, is_missed: bool) -> None:
    assert timing.is_missed(NOON, NOON + late) is is_missed


def test_a_pattern_begins_after_its_start() -> None:
    timing = Timing(cron="0 * * * *", tz="UTC", start=NOON + HOUR)
    assert timing.cron_after(NOON) == timing.after(NOON) == NOON + 2 * HOUR

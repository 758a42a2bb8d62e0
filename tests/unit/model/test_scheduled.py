"""What a job knows of the schedule whose run it is."""

from typing import Any

import pytest

from stockyard import Job, JobOptions


def job(job_id: str, number: int | None = 3) -> Job[Any]:
    return Job(job_id, "work", None, JobOptions(run_number=number), "q", 0, port=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("job_id", "schedule"),
    [
        ("repeat:sync:1800000000000", "sync"),
        ("repeat:a:b:1800000000000", "a:b"),
        ("1", None),
        ("order-17", None),
        ("repeat:sync", None),
        ("repeat:sync:later", None),
        ("x:repeat:1", None),
    ],
)
def test_a_run_knows_its_schedule_and_its_number(job_id: str, schedule: str | None) -> None:
    assert job(job_id).schedule_id == schedule
    assert job(job_id).run_number == (None if schedule is None else 3)


def test_a_peer_may_not_have_written_a_number() -> None:
    assert job("repeat:sync:1", None).run_number is None

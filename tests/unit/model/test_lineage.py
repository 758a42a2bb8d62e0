"""What a job gets from the job that adds it, and which job a causation id names."""

from typing import Any

import pytest

from stockyard import JobOptions
from stockyard.model.lineage import Caused, JobName, job_named, passed_on


class Running(Caused):
    """A job that runs, as far as its lineage goes."""

    def __init__(self, **options: Any) -> None:
        self.id, self.queue, self.options = "s-1", "signals", JobOptions().merged(**options)


def given(cause: Running, *, is_declared: bool = False, **options: Any) -> tuple[str | None, str | None]:
    """Return correlation and causation id of a job that the cause adds with these options."""
    chosen = passed_on(JobOptions().merged(**options), cause, options, is_declared=is_declared)
    return chosen.correlation_id, chosen.causation_id


def test_a_job_of_its_own_begins_a_story() -> None:
    assert (Running().correlation_id, Running().causation_id, Running().has_lineage) == (
        "signals/s-1",
        None,
        False,
    )


def test_without_a_lineage_nothing_is_passed_on() -> None:
    options = JobOptions()
    assert passed_on(options, Running(), {}, is_declared=False) is options


def test_a_queue_that_declares_it_remembers_the_cause() -> None:
    assert given(Running(), is_declared=True) == ("signals/s-1", "signals/s-1")


@pytest.mark.parametrize("lineage", [{"correlation_id": "order-7"}, {"causation_id": "tick-9"}])
def test_a_lineage_is_passed_on(lineage: dict[str, str]) -> None:
    assert given(Running(**lineage)) == (lineage.get("correlation_id", "signals/s-1"), "signals/s-1")


def test_what_is_given_counts() -> None:
    cause = Running(correlation_id="order-7")
    assert given(cause, causation_id="tick-9") == ("order-7", "tick-9")
    assert given(cause, correlation_id="order-8") == ("order-8", "signals/s-1")
    assert given(cause, correlation_id="order-8", causation_id=None) == ("order-8", None)
    assert given(cause, correlation_id=None) == (None, None)


@pytest.mark.parametrize(
    ("causation_id", "job"),
    [
        ("signals/s-1", JobName("signals", "s-1")),
        ("a/b/c", JobName("a/b", "c")),
        ("signals/x/y", JobName("signals", "x/y")),
        ("tick-9", None),
        ("other/7", None),
        ("signals/", None),
        ("/signals", None),
        ("", None),
    ],
)
def test_a_causation_id_names_a_job_or_something_else(causation_id: str, job: JobName | None) -> None:
    assert job_named(causation_id, {"signals", "a/b"}) == job

"""What happened to a job: each failed attempt with its reason, by events where they are kept."""

from types import SimpleNamespace
from typing import Any

import pytest

from stockyard.dashboard.timeline import timeline
from stockyard.events import (
    ActiveEvent,
    AddedEvent,
    CompletedEvent,
    DelayedEvent,
    Event,
    FailedEvent,
    WaitingEvent,
)

TRACES = ("Traceback\nValueError: one", "Traceback\nValueError: two")


def job(**fields: Any) -> Any:
    given = {"timestamp": 1, "delay_ms": 0, "processed_on": 5, "finished_on": 9, "processed_by": "w"}
    return SimpleNamespace(**{**given, "stacktrace": (), "failed_reason": None, **fields})


def happened(*kinds: type[Event]) -> list[Event]:
    more: dict[type[Event], dict[str, Any]] = {AddedEvent: {"name": "n"}, DelayedEvent: {"due": 9}}
    return [kind(id=f"{at}-0", queue="q", job_id="j", **more.get(kind, {})) for at, kind in enumerate(kinds, 1)]  # type: ignore[call-arg]


def words(moments: Any) -> list[str]:
    return [f"{each.what}: {each.detail}" if each.detail else each.what for each in moments]


def test_an_attempt_that_is_tried_again_is_shown_with_its_error() -> None:
    events = happened(AddedEvent, WaitingEvent, ActiveEvent, DelayedEvent, WaitingEvent, ActiveEvent, FailedEvent)
    found = timeline(job(stacktrace=TRACES, failed_reason="ValueError: two"), events)
    assert words(found) == [
        "added",
        "waits",
        "started",
        "attempt 1 failed: ValueError: one",
        "delayed",
        "waits",
        "started",
        "failed",
    ]
    assert (found[3].at, found[3].kind) == (4, "failed")


@pytest.mark.parametrize("traces", [(), TRACES])
def test_a_run_that_went_back_without_an_error_is_no_failed_attempt(traces: tuple[str, ...]) -> None:
    events = happened(AddedEvent, WaitingEvent, ActiveEvent, WaitingEvent, ActiveEvent, CompletedEvent)
    assert not any("attempt" in each for each in words(timeline(job(stacktrace=traces), events)))


def test_without_events_the_record_counts() -> None:
    found = timeline(job(stacktrace=TRACES, failed_reason="ValueError: two"), happened(ActiveEvent))
    assert words(found) == ["added", "attempt 1 failed: ValueError: one", "started: w", "failed: ValueError: two"]

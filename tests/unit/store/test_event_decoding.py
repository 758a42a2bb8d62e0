"""Entries of a stream as typed events."""

import math
from typing import Any

import msgspec
import pytest

from stockyard._store.jobs.event_decoding import event_of, name_of
from stockyard._store.jobs.streams import Entry
from stockyard.events import (
    ActiveEvent,
    AddedEvent,
    CleanedEvent,
    CompletedEvent,
    CustomEvent,
    DeduplicatedEvent,
    DelayedEvent,
    DrainedEvent,
    DuplicatedEvent,
    Event,
    EventGap,
    FailedEvent,
    PausedEvent,
    ProgressEvent,
    RemovedEvent,
    ResumedEvent,
    RetriesExhaustedEvent,
    StalledEvent,
    WaitingChildrenEvent,
    WaitingEvent,
)

AT = {"id": "1700000000123-4", "queue": "q"}


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("added", {"jobId": "7", "name": "mail"}, AddedEvent(**AT, job_id="7", name="mail")),
        ("waiting", {"jobId": "7"}, WaitingEvent(**AT, job_id="7")),
        ("waiting", {"jobId": "7", "prev": "failed"}, WaitingEvent(**AT, job_id="7", prev="failed")),
        ("active", {"jobId": "7", "prev": "waiting"}, ActiveEvent(**AT, job_id="7", prev="waiting")),
        (
            "progress",
            {"jobId": "7", "data": '{"done":[1,2.5]}'},
            ProgressEvent(**AT, job_id="7", progress={"done": [1, 2.5]}),
        ),
        (
            "completed",
            {"jobId": "7", "returnvalue": '"a\\/b"', "prev": "active"},
            CompletedEvent(**AT, job_id="7", return_value="a/b", prev="active"),
        ),
        (
            "failed",
            {"jobId": "7", "failedReason": '"quoted" Ω', "prev": "active"},
            FailedEvent(**AT, job_id="7", failed_reason='"quoted" Ω', prev="active"),
        ),
        ("delayed", {"jobId": "7", "delay": "1795498917171"}, DelayedEvent(**AT, job_id="7", due=1795498917171)),
        (
            "waiting-children",
            {"jobId": "7", "prev": "active"},
            WaitingChildrenEvent(**AT, job_id="7", prev="active"),
        ),
        ("stalled", {"jobId": "7"}, StalledEvent(**AT, job_id="7")),
        ("removed", {"jobId": "7", "prev": "wait"}, RemovedEvent(**AT, job_id="7", prev="wait")),
        ("duplicated", {"jobId": "7"}, DuplicatedEvent(**AT, job_id="7")),
        (
            "deduplicated",
            {"jobId": "7", "deduplicationId": "d", "deduplicatedJobId": "8"},
            DeduplicatedEvent(**AT, job_id="7", deduplication_id="d", deduplicated_job_id="8"),
        ),
        (
            "retries-exhausted",
            {"jobId": "7", "attemptsMade": "3"},
            RetriesExhaustedEvent(**AT, job_id="7", attempts_made=3),
        ),
        ("drained", {}, DrainedEvent(**AT)),
        ("paused", {}, PausedEvent(**AT)),
        ("resumed", {}, ResumedEvent(**AT)),
        ("cleaned", {"count": "12"}, CleanedEvent(**AT, count=12)),
        (
            "debounced",
            {"jobId": "7", "debounceId": "d"},
            CustomEvent(**AT, name="debounced", fields={"jobId": "7", "debounceId": "d"}),
        ),
        ("tick", {}, CustomEvent(**AT, name="tick", fields={})),
    ],
)
def test_every_kind(name: str, fields: dict[str, str], expected: Event) -> None:
    event = event_of(Entry(AT["id"], name, fields), "q")
    assert event == expected
    assert type(event) is type(expected)
    assert event.timestamp == 1700000000123
    assert name_of(event) == name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("1", 1),
        ("-1.5e3", -1500.0),
        ("true", True),
        ("[]", []),
        ("", ""),
        ("{not json", "{not json"),
        ("NaN", "NaN"),
        ("undefined", "undefined"),
        ("\ufffd", "\ufffd"),
        ('"cut \\ud83d"', "cut \ufffd"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_what_is_no_json_stays_text(text: str, value: Any) -> None:
    completed = event_of(Entry("1-0", "completed", {"jobId": "1", "returnvalue": text}), "q")
    progress = event_of(Entry("1-0", "progress", {"jobId": "1", "data": text}), "q")
    assert isinstance(completed, CompletedEvent)
    assert isinstance(progress, ProgressEvent)
    assert completed.return_value == progress.progress == value
    assert type(completed.return_value) is type(value)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("completed", {}),
        ("added", {"jobId": "1"}),
        ("delayed", {"jobId": "1", "delay": "soon"}),
        ("delayed", {"jobId": "1"}),
        ("cleaned", {"count": str(math.nan)}),
        ("retries-exhausted", {"attemptsMade": "1"}),
        ("", {"a": "b"}),
    ],
)
def test_an_event_without_what_its_kind_has_is_passed_on_as_it_is(name: str, fields: dict[str, str]) -> None:
    assert event_of(Entry("1-0", name, fields), "q") == CustomEvent(id="1-0", queue="q", name=name, fields=fields)


def test_a_missing_result_or_reason_is_none_or_empty() -> None:
    completed = event_of(Entry("1-0", "completed", {"jobId": "1"}), "q")
    failed = event_of(Entry("1-0", "failed", {"jobId": "1"}), "q")
    assert completed == CompletedEvent(id="1-0", queue="q", job_id="1")
    assert failed == FailedEvent(id="1-0", queue="q", job_id="1")


def test_what_a_kind_does_not_know_is_left_out() -> None:
    assert event_of(Entry("1-0", "drained", {"jobId": "1"}), "q") == DrainedEvent(id="1-0", queue="q")


def test_events_are_frozen_and_print_as_json() -> None:
    event = EventGap(id="5-0", queue="q", first_id="9-0")
    assert name_of(event) == "gap"
    with pytest.raises(AttributeError):
        event.first_id = "1-0"  # type: ignore[misc]
    assert msgspec.json.decode(msgspec.json.encode(event)) == {"id": "5-0", "queue": "q", "first_id": "9-0"}

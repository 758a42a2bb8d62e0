"""What happened to a job, in order: its attempts and how each ended. Pure: a record and events in, moments out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from stockyard.events import (
    ActiveEvent,
    AddedEvent,
    CompletedEvent,
    DelayedEvent,
    Event,
    FailedEvent,
    StalledEvent,
    WaitingChildrenEvent,
    WaitingEvent,
)
from stockyard.model.job import Job

_WORDS = {
    AddedEvent: "added",
    WaitingEvent: "waits",
    DelayedEvent: "delayed",
    ActiveEvent: "started",
    CompletedEvent: "completed",
    FailedEvent: "failed",
    StalledEvent: "lost its worker",
    WaitingChildrenEvent: "waits for its children",
}


class Moment(NamedTuple):
    """Something that happened to a job.

    Attributes:
        at: ms since the epoch, or None where only the order is known.
        what: in a word or two.
        detail: more of it, or empty.
        kind: how it is drawn.
    """

    at: int | None
    what: str
    detail: str = ""
    kind: str = "plain"


def timeline(job: Job[Any], events: Sequence[Event]) -> list[Moment]:
    """Return what happened to a job, in order: by the queue's events where they are kept, else by its record."""
    has_all = any(isinstance(event, AddedEvent) for event in events)
    moments = _by_events(job, events) if has_all else _by_record(job)
    if job.finished_on is None and job.delay_ms and job.processed_on is None:
        moments.append(Moment(job.timestamp + job.delay_ms, "due", "", "due"))
    return moments


def _by_record(job: Job[Any]) -> list[Moment]:
    moments = [Moment(job.timestamp, "added")]
    failed = job.stacktrace if job.finished_on is None or not job.failed_reason else job.stacktrace[:-1]
    moments += [
        Moment(None, f"attempt {number} failed", _last_line(trace), "failed")
        for number, trace in enumerate(failed, 1)
    ]
    if job.processed_on is not None:
        moments.append(Moment(job.processed_on, "started", job.processed_by or "", "active"))
    if job.finished_on is not None:
        ended = ("failed", job.failed_reason) if job.failed_reason else ("completed", "")
        moments.append(Moment(job.finished_on, ended[0], ended[1] or "", ended[0]))
    return moments


def _by_events(job: Job[Any], events: Sequence[Event]) -> list[Moment]:
    known = [event for event in events if type(event) in _WORDS]
    # A run that goes back to the queue has failed or asked for it: it has failed where there is a trace for each.
    back = {
        place
        for place, event in enumerate(known)
        if isinstance(event, DelayedEvent | WaitingEvent) and place and isinstance(known[place - 1], ActiveEvent)
    }
    ended_badly = len(back) + sum(isinstance(event, FailedEvent) for event in known)
    has_traces = bool(back) and ended_badly == len(job.stacktrace)
    moments: list[Moment] = []
    attempts = 0
    for place, event in enumerate(known):
        if has_traces and place in back:
            attempts += 1
            reason = _last_line(job.stacktrace[attempts - 1])
            moments.append(Moment(event.timestamp, f"attempt {attempts} failed", reason, "failed"))
        moments.append(_moment(event))
    return moments


def _moment(event: Event) -> Moment:
    what = _WORDS[type(event)]
    match event:
        case FailedEvent(failed_reason=reason):
            return Moment(event.timestamp, what, reason or "", "failed")
        case CompletedEvent():
            return Moment(event.timestamp, what, "", "completed")
        case ActiveEvent():
            return Moment(event.timestamp, what, "", "active")
        case _:
            return Moment(event.timestamp, what)


def _last_line(trace: str) -> str:
    lines = [line for line in trace.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""

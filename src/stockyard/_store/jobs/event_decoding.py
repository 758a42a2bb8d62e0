"""Makes typed events of a stream's entries; what cannot be read as its kind is passed on as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stockyard._store.jobs.rows import json_or_text
from stockyard._store.jobs.streams import Entry
from stockyard._suggestion import suggestion
from stockyard.errors import InvalidOption
from stockyard.model import event as kinds
from stockyard.model.event import CustomEvent, Event

_Make = Callable[[str, str, Mapping[str, str]], Event]
"""Makes an event of its id, its queue and its fields; a KeyError or ValueError when it lacks what its kind has."""

# Written out: a call with its names costs a third of one with a dict of them, and events come by the 100,000.
_KINDS: dict[str, tuple[type[Event], _Make]] = {
    "added": (
        kinds.AddedEvent,
        lambda at, q, f: kinds.AddedEvent(id=at, queue=q, job_id=f["jobId"], name=f["name"]),
    ),
    "waiting": (
        kinds.WaitingEvent,
        lambda at, q, f: kinds.WaitingEvent(id=at, queue=q, job_id=f["jobId"], prev=f.get("prev")),
    ),
    "active": (
        kinds.ActiveEvent,
        lambda at, q, f: kinds.ActiveEvent(id=at, queue=q, job_id=f["jobId"], prev=f.get("prev")),
    ),
    "progress": (
        kinds.ProgressEvent,
        lambda at, q, f: kinds.ProgressEvent(id=at, queue=q, job_id=f["jobId"], progress=_value(f, "data")),
    ),
    "completed": (
        kinds.CompletedEvent,
        lambda at, q, f: kinds.CompletedEvent(
            id=at, queue=q, job_id=f["jobId"], return_value=_value(f, "returnvalue"), prev=f.get("prev")
        ),
    ),
    "failed": (
        kinds.FailedEvent,
        lambda at, q, f: kinds.FailedEvent(
            id=at, queue=q, job_id=f["jobId"], failed_reason=f.get("failedReason", ""), prev=f.get("prev")
        ),
    ),
    "delayed": (
        kinds.DelayedEvent,
        lambda at, q, f: kinds.DelayedEvent(id=at, queue=q, job_id=f["jobId"], due=int(f["delay"])),
    ),
    "waiting-children": (
        kinds.WaitingChildrenEvent,
        lambda at, q, f: kinds.WaitingChildrenEvent(id=at, queue=q, job_id=f["jobId"], prev=f.get("prev")),
    ),
    "stalled": (kinds.StalledEvent, lambda at, q, f: kinds.StalledEvent(id=at, queue=q, job_id=f["jobId"])),
    "removed": (
        kinds.RemovedEvent,
        lambda at, q, f: kinds.RemovedEvent(id=at, queue=q, job_id=f["jobId"], prev=f.get("prev")),
    ),
    "duplicated": (
        kinds.DuplicatedEvent,
        lambda at, q, f: kinds.DuplicatedEvent(id=at, queue=q, job_id=f["jobId"]),
    ),
    "deduplicated": (
        kinds.DeduplicatedEvent,
        lambda at, q, f: kinds.DeduplicatedEvent(
            id=at,
            queue=q,
            job_id=f["jobId"],
            deduplication_id=f["deduplicationId"],
            deduplicated_job_id=f["deduplicatedJobId"],
        ),
    ),
    "coalesced": (
        kinds.CoalescedEvent,
        lambda at, q, f: kinds.CoalescedEvent(id=at, queue=q, job_id=f["jobId"], replaced=int(f["replaced"])),
    ),
    "expired": (kinds.ExpiredEvent, lambda at, q, f: kinds.ExpiredEvent(id=at, queue=q, job_id=f["jobId"])),
    "dropped": (kinds.DroppedEvent, lambda at, q, f: kinds.DroppedEvent(id=at, queue=q, job_id=f["jobId"])),
    "retries-exhausted": (
        kinds.RetriesExhaustedEvent,
        lambda at, q, f: kinds.RetriesExhaustedEvent(
            id=at, queue=q, job_id=f["jobId"], attempts_made=int(f["attemptsMade"])
        ),
    ),
    "drained": (kinds.DrainedEvent, lambda at, q, _: kinds.DrainedEvent(id=at, queue=q)),
    "paused": (kinds.PausedEvent, lambda at, q, _: kinds.PausedEvent(id=at, queue=q)),
    "resumed": (kinds.ResumedEvent, lambda at, q, _: kinds.ResumedEvent(id=at, queue=q)),
    "cleaned": (kinds.CleanedEvent, lambda at, q, f: kinds.CleanedEvent(id=at, queue=q, count=int(f["count"]))),
}


def event_of(entry: Entry, queue: str) -> Event:
    """Return an entry as an event of its kind; one without what its kind has is a ``CustomEvent`` one."""
    known = _KINDS.get(entry.name)
    if known is not None:
        try:
            return known[1](entry.id, queue, entry.fields)
        except (KeyError, ValueError):
            pass
    return CustomEvent(id=entry.id, queue=queue, name=entry.name, fields=entry.fields)


def _value(fields: Mapping[str, str], name: str) -> Any:
    return json_or_text(fields[name].encode()) if name in fields else None


def name_of(event: Event) -> str:
    """Return an event's name as the stream spells it."""
    return event.name if isinstance(event, CustomEvent) else _NAMES[type(event)]


def kind_of(name: str) -> type[Event]:
    """Return the type of the events of a name.

    Raises:
        InvalidOption: no kind has that name.
    """
    if name not in _KINDS:
        raise InvalidOption(f"no event is called {name!r}{suggestion(name, tuple(_KINDS))}")
    return _KINDS[name][0]


OWN_EVENTS = frozenset({*_KINDS, "debounced", "error", "obliterated"})
"""Names that readers take for the queue's own word; of ``error`` Node makes an exception."""

_NAMES = {kind: name for name, (kind, _) in _KINDS.items()} | {kinds.EventGap: "gap"}

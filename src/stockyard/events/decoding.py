"""Makes typed events of a stream's entries; what cannot be read as its kind is passed on as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stockyard._store.rows import json_or_text
from stockyard._store.streams import Entry
from stockyard.errors import InvalidOption, suggestion
from stockyard.events import event as kinds
from stockyard.events.event import Custom, Event

_Make = Callable[[str, str, Mapping[str, str]], Event]
"""Makes an event of its id, its queue and its fields; a KeyError or ValueError when it lacks what its kind has."""

# Written out: a call with its names costs a third of one with a dict of them, and events come by the 100,000.
_KINDS: dict[str, tuple[type[Event], _Make]] = {
    "added": (kinds.Added, lambda at, q, f: kinds.Added(id=at, queue=q, job_id=f["jobId"], name=f["name"])),
    "waiting": (
        kinds.Waiting,
        lambda at, q, f: kinds.Waiting(id=at, queue=q, job_id=f["jobId"], prev=f.get("prev")),
    ),
    "active": (kinds.Active, lambda at, q, f: kinds.Active(id=at, queue=q, job_id=f["jobId"], prev=f.get("prev"))),
    "progress": (
        kinds.Progress,
        lambda at, q, f: kinds.Progress(id=at, queue=q, job_id=f["jobId"], progress=_value(f, "data")),
    ),
    "completed": (
        kinds.Completed,
        lambda at, q, f: kinds.Completed(
            id=at, queue=q, job_id=f["jobId"], return_value=_value(f, "returnvalue"), prev=f.get("prev")
        ),
    ),
    "failed": (
        kinds.Failed,
        lambda at, q, f: kinds.Failed(
            id=at, queue=q, job_id=f["jobId"], failed_reason=f.get("failedReason", ""), prev=f.get("prev")
        ),
    ),
    "delayed": (
        kinds.Delayed,
        lambda at, q, f: kinds.Delayed(id=at, queue=q, job_id=f["jobId"], due=int(f["delay"])),
    ),
    "waiting-children": (
        kinds.WaitingChildren,
        lambda at, q, f: kinds.WaitingChildren(id=at, queue=q, job_id=f["jobId"], prev=f.get("prev")),
    ),
    "stalled": (kinds.Stalled, lambda at, q, f: kinds.Stalled(id=at, queue=q, job_id=f["jobId"])),
    "removed": (
        kinds.Removed,
        lambda at, q, f: kinds.Removed(id=at, queue=q, job_id=f["jobId"], prev=f.get("prev")),
    ),
    "duplicated": (kinds.Duplicated, lambda at, q, f: kinds.Duplicated(id=at, queue=q, job_id=f["jobId"])),
    "deduplicated": (
        kinds.Deduplicated,
        lambda at, q, f: kinds.Deduplicated(
            id=at,
            queue=q,
            job_id=f["jobId"],
            deduplication_id=f["deduplicationId"],
            deduplicated_job_id=f["deduplicatedJobId"],
        ),
    ),
    "retries-exhausted": (
        kinds.RetriesExhausted,
        lambda at, q, f: kinds.RetriesExhausted(
            id=at, queue=q, job_id=f["jobId"], attempts_made=int(f["attemptsMade"])
        ),
    ),
    "drained": (kinds.Drained, lambda at, q, _: kinds.Drained(id=at, queue=q)),
    "paused": (kinds.Paused, lambda at, q, _: kinds.Paused(id=at, queue=q)),
    "resumed": (kinds.Resumed, lambda at, q, _: kinds.Resumed(id=at, queue=q)),
    "cleaned": (kinds.Cleaned, lambda at, q, f: kinds.Cleaned(id=at, queue=q, count=int(f["count"]))),
}


def event_of(entry: Entry, queue: str) -> Event:
    """Return an entry as an event of its kind; one without what its kind has is a ``Custom`` one."""
    known = _KINDS.get(entry.name)
    if known is not None:
        try:
            return known[1](entry.id, queue, entry.fields)
        except (KeyError, ValueError):
            pass
    return Custom(id=entry.id, queue=queue, name=entry.name, fields=entry.fields)


def _value(fields: Mapping[str, str], name: str) -> Any:
    return json_or_text(fields[name].encode()) if name in fields else None


def name_of(event: Event) -> str:
    """Return an event's name as the stream spells it."""
    return event.name if isinstance(event, Custom) else _NAMES[type(event)]


def kind_of(name: str) -> type[Event]:
    """Return the type of the events of a name.

    Raises:
        InvalidOption: no kind has that name.
    """
    if name not in _KINDS:
        raise InvalidOption(f"no event is called {name!r}{suggestion(name, tuple(_KINDS))}")
    return _KINDS[name][0]


_NAMES = {kind: name for name, (kind, _) in _KINDS.items()} | {kinds.Gap: "gap"}

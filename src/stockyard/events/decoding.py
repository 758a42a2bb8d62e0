"""Makes typed events of a stream's entries; what cannot be read as its kind is passed on as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from stockyard._store.streams import Entry
from stockyard.errors import InvalidOption, suggestion
from stockyard.events import event as kinds
from stockyard.events.event import Custom, Event

Reading = tuple[str, Callable[[str], Any]]
"""A field's name in the stream, and what its text is made into."""

_decode = msgspec.json.Decoder().decode


def json_or_text(text: str | bytes) -> Any:
    """Decode JSON; text that is none is returned as it is, for a peer may have written anything."""
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return text.decode(errors="replace") if isinstance(text, bytes) else text


_JOB: dict[str, Reading] = {"job_id": ("jobId", str)}
_PREV: dict[str, Reading] = {"prev": ("prev", str)}
_KINDS: dict[str, tuple[type[Event], dict[str, Reading]]] = {
    "added": (kinds.Added, _JOB | {"name": ("name", str)}),
    "waiting": (kinds.Waiting, _JOB | _PREV),
    "active": (kinds.Active, _JOB | _PREV),
    "progress": (kinds.Progress, _JOB | {"progress": ("data", json_or_text)}),
    "completed": (kinds.Completed, _JOB | {"return_value": ("returnvalue", json_or_text)} | _PREV),
    "failed": (kinds.Failed, _JOB | {"failed_reason": ("failedReason", str)} | _PREV),
    "delayed": (kinds.Delayed, _JOB | {"due": ("delay", int)}),
    "waiting-children": (kinds.WaitingChildren, _JOB | _PREV),
    "stalled": (kinds.Stalled, _JOB),
    "removed": (kinds.Removed, _JOB | _PREV),
    "duplicated": (kinds.Duplicated, _JOB),
    "deduplicated": (
        kinds.Deduplicated,
        _JOB
        | {
            "deduplication_id": ("deduplicationId", str),
            "deduplicated_job_id": ("deduplicatedJobId", str),
        },
    ),
    "retries-exhausted": (kinds.RetriesExhausted, _JOB | {"attempts_made": ("attemptsMade", int)}),
    "drained": (kinds.Drained, {}),
    "paused": (kinds.Paused, {}),
    "resumed": (kinds.Resumed, {}),
    "cleaned": (kinds.Cleaned, {"count": ("count", int)}),
}


def event_of(entry: Entry, queue: str) -> Event:
    """Return an entry as an event of its kind; one without what its kind has is a ``Custom`` one."""
    entry_id, name, fields = entry
    known = _KINDS.get(name)
    if known is not None:
        kind, readings = known
        try:
            values: dict[str, Any] = {"id": entry_id, "queue": queue}
            for attribute, (field, convert) in readings.items():
                text = fields.get(field)
                if text is not None:
                    values[attribute] = text if convert is str else convert(text)
            return kind(**values)
        except (TypeError, ValueError):
            # TypeError: a field is missing that has no default.
            pass
    return Custom(id=entry_id, queue=queue, name=name, fields=fields)


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

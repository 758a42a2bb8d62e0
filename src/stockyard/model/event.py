"""The events of queues and jobs: one frozen type for each kind of event."""

from __future__ import annotations

from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened in a queue.

    Attributes:
        id: its place in the queue's stream; ``App.events(queue, after=event.id)`` goes on behind it.
        queue: name of the queue.
    """

    id: str
    queue: str

    @property
    def timestamp(self) -> int:
        """When the server recorded it, milliseconds since the epoch."""
        return int(self.id.partition("-")[0])


class JobEvent(Event, frozen=True, kw_only=True):
    """Something that happened to one job.

    Attributes:
        job_id: the job.
    """

    job_id: str


class AddedEvent(JobEvent, frozen=True, kw_only=True):
    """A job was added; the next event says where it went.

    Attributes:
        name: the job's name.
    """

    name: str


class WaitingEvent(JobEvent, frozen=True, kw_only=True):
    """A job is ready to run.

    Attributes:
        prev: the state it came from, or None for a new one.
    """

    prev: str | None = None


class ActiveEvent(JobEvent, frozen=True, kw_only=True):
    """A worker started a job.

    Attributes:
        prev: ``"waiting"``.
    """

    prev: str | None = None


class ProgressEvent(JobEvent, frozen=True, kw_only=True):
    """A job reported progress.

    Attributes:
        progress: as the handler gave it; text that is no JSON stays text.
    """

    progress: Any = None


class CompletedEvent(JobEvent, frozen=True, kw_only=True):
    """A job ended well.

    Attributes:
        return_value: the handler's result; text that is no JSON stays text.
        prev: ``"active"``.
    """

    return_value: Any = None
    prev: str | None = None


class FailedEvent(JobEvent, frozen=True, kw_only=True):
    """A job ended badly; a failure that is retried is an event ``DelayedEvent`` or ``WaitingEvent``.

    Attributes:
        failed_reason: text of the error.
        prev: ``"active"``.
    """

    failed_reason: str = ""
    prev: str | None = None


class DelayedEvent(JobEvent, frozen=True, kw_only=True):
    """A job waits for its time.

    Attributes:
        due: that time, milliseconds since the epoch.
    """

    due: int


class WaitingChildrenEvent(JobEvent, frozen=True, kw_only=True):
    """A job waits for its children.

    Attributes:
        prev: ``"active"`` if it had started, else None.
    """

    prev: str | None = None


class StalledEvent(JobEvent, frozen=True, kw_only=True):
    """A job was taken from a worker that died or froze; it waits again."""


class RemovedEvent(JobEvent, frozen=True, kw_only=True):
    """A job was removed.

    Attributes:
        prev: the state it was in.
    """

    prev: str | None = None


class DuplicatedEvent(JobEvent, frozen=True, kw_only=True):
    """A job was not added, as there is one of its id."""


class DeduplicatedEvent(JobEvent, frozen=True, kw_only=True):
    """Of two jobs under one deduplication id one was dropped.

    Attributes:
        job_id: the one that stays.
        deduplication_id: what they share.
        deduplicated_job_id: the one that was dropped; as a rule the newer one, which has no record.
    """

    deduplication_id: str
    deduplicated_job_id: str


class CoalescedEvent(JobEvent, frozen=True, kw_only=True):
    """A newer payload replaced that of a job that waits, or a job yielded to it that came to wait once more.

    Attributes:
        replaced: how many payloads this one replaced so far.
    """

    replaced: int


class ExpiredEvent(JobEvent, frozen=True, kw_only=True):
    """A job did not start in time, and does not run; a ``FailedEvent``, which Node knows, follows."""


class DroppedEvent(JobEvent, frozen=True, kw_only=True):
    """A job that waited was removed for a newer one, as the queue was full."""


class RetriesExhaustedEvent(JobEvent, frozen=True, kw_only=True):
    """A job failed in the last of its attempts.

    Attributes:
        attempts_made: how many there were.
    """

    attempts_made: int


class DrainedEvent(Event, frozen=True, kw_only=True):
    """A job ended and nothing was left to run."""


class PausedEvent(Event, frozen=True, kw_only=True):
    """The queue was paused."""


class ResumedEvent(Event, frozen=True, kw_only=True):
    """The queue runs again."""


class CleanedEvent(Event, frozen=True, kw_only=True):
    """Old jobs were removed at once.

    Attributes:
        count: how many.
    """

    count: int


class CustomEvent(Event, frozen=True, kw_only=True):
    """An event that a program published, or one that is not known here.

    Attributes:
        name: of the event.
        fields: everything it holds, as text.
    """

    name: str
    fields: dict[str, str]


class EventGap(Event, frozen=True, kw_only=True):
    """Events are missing: the stream was cut or deleted before they could be read.

    If you follow the state of jobs, read it again. A server before Redis 7, or a reader that has
    just begun at an id that is not there any more, may report a gap though nothing is missing in it.

    Attributes:
        id: of the event read last.
        first_id: of the first that is there now, or None when there is none yet.
    """

    first_id: str | None = None

"""Which job caused a job, and the correlation id that all jobs of one story share."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

import msgspec

from stockyard.model.options import JobOptions


class JobName(NamedTuple):
    """A job by its queue and its id.

    Attributes:
        queue: name of its queue.
        id: its id there.
    """

    queue: str
    id: str

    def __str__(self) -> str:
        return f"{self.queue}/{self.id}"


class Caused:
    """The lineage of a job: why it was added."""

    __slots__ = ()
    id: str
    queue: str
    options: JobOptions

    @property
    def correlation_id(self) -> str:
        """What all jobs of one story share: the id that the first one was given, or its ``queue/id``."""
        return self.options.correlation_id or str(JobName(self.queue, self.id))

    @property
    def causation_id(self) -> str | None:
        """What caused it: ``queue/id`` of the job whose handler added it, an id of the producer, or None."""
        return self.options.causation_id

    @property
    def has_lineage(self) -> bool:
        """Whether its record says why it was added."""
        return self.options.correlation_id is not None or self.options.causation_id is not None


def passed_on(options: JobOptions, cause: Caused, given: Mapping[str, Any], *, is_declared: bool) -> JobOptions:
    """Return the options of a job that is added while another one runs, with the lineage that it gets from that.

    Args:
        options: of the new job.
        cause: the job that runs.
        given: what the producer said itself, which counts. A ``correlation_id`` of None begins a new story.
        is_declared: whether the new job's queue declares ``lineage``. If not, only a job with a lineage passes it
            on.
    """
    if not is_declared and not cause.has_lineage:
        return options
    correlation_id = options.correlation_id
    if "correlation_id" not in given:
        correlation_id = cause.correlation_id
    elif correlation_id is None:
        return options
    causation_id = options.causation_id if "causation_id" in given else str(JobName(cause.queue, cause.id))
    return msgspec.structs.replace(options, correlation_id=correlation_id, causation_id=causation_id)


def job_named(causation_id: str, queues: Container[str]) -> JobName | None:
    """Return the job that a causation id names, or None where it names none of these queues."""
    at = causation_id.find("/")
    while 0 < at < len(causation_id) - 1:
        # Ids and names of queues may hold slashes themselves.
        if causation_id[:at] in queues:
            return JobName(causation_id[:at], causation_id[at + 1 :])
        at = causation_id.find("/", at + 1)
    return None

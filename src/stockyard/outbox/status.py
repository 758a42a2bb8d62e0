"""What an outbox holds at one moment, and what its relays have done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A job that its queue has refused for good; it stays in the table until it is retried or deleted.

    Attributes:
        sequence: its place in the outbox.
        queue, name, job_id: the job.
        error: why it was refused.
        failed_at: when it was given up, ms since the epoch.
    """

    sequence: int
    queue: str
    name: str
    job_id: str
    error: str
    failed_at: int


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """What an outbox holds at one moment.

    Attributes:
        pending: jobs that wait to be relayed, by queue.
        oldest_age_ms: how long ago the oldest of them was added, or None.
        relayed: jobs relayed since the table was made.
        failed: how many jobs were given up.
        failures: the newest of these, at most 20.
        leader: which relay leads, or None while none does.
        error: why the leader cannot go on, or None.
        error_at: since when, ms since the epoch.
    """

    pending: dict[str, int]
    oldest_age_ms: int | None
    relayed: int
    failed: int
    failures: tuple[FailedRow, ...]
    leader: str | None
    error: str | None
    error_at: int | None

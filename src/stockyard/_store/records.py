"""What scripts return to the layers above, by name: the records of jobs, and the codes of what they refuse."""

from __future__ import annotations

from typing import NamedTuple

from stockyard._store.ids import id_of, shown_id
from stockyard._wire.codes import ReplyCode as ReplyCode

_RUN_PREFIX = b"repeat:"


class StartedRecord(NamedTuple):
    """A job that was just started, as the server holds it; see ``rows.started_job``.

    Attributes:
        name, data, options, timestamp, priority, delay: the job, as it was added.
        attempts_made, starts, stalls: how often it was tried, was started, and lost its worker.
        progress, failed_reason, stacktrace: what earlier attempts left.
        parent_key: full key of its parent.
        deferred_failure: why it is to fail without being run.
        raw_id: its id, as bytes.
    """

    name: bytes | None
    data: bytes | None
    options: bytes | None
    timestamp: bytes | None
    priority: bytes | None
    delay: bytes | None
    attempts_made: bytes | None
    starts: int | bytes
    stalls: bytes | None
    progress: bytes | None
    failed_reason: bytes | None
    stacktrace: bytes | None
    parent_key: bytes | None
    deferred_failure: bytes | None
    raw_id: bytes

    @property
    def id(self) -> str:
        """Its id; bytes that are no UTF-8 stay in it as lone surrogates."""
        return id_of(self.raw_id)

    @property
    def shown_id(self) -> str:
        """Its id for people and programs."""
        return shown_id(self.raw_id)

    @property
    def start_number(self) -> int:
        """Number of this start, from 1."""
        return int(self.starts)

    @property
    def is_schedule_run(self) -> bool:
        """Whether a schedule made the job."""
        return self.raw_id.startswith(_RUN_PREFIX)


class StoredRecord(NamedTuple):
    """A job in any state, as the server holds it; see ``rows.stored_job``.

    Attributes:
        result, started, ended, worker: of a job that has ended, or runs.
        raw_id: its id, as bytes.

    The others are those of ``StartedRecord``.
    """

    name: bytes | None
    data: bytes | None
    options: bytes | None
    timestamp: bytes | None
    priority: bytes | None
    delay: bytes | None
    attempts_made: bytes | None
    starts: bytes | None
    stalls: bytes | None
    progress: bytes | None
    failed_reason: bytes | None
    stacktrace: bytes | None
    parent_key: bytes | None
    deferred_failure: bytes | None
    result: bytes | None
    started: bytes | None
    ended: bytes | None
    worker: bytes | None
    raw_id: bytes

"""How one run of a job ended, as a value that one store call writes."""

from __future__ import annotations

import msgspec

from stockyard.model.retention import KeepOption


class Completed(msgspec.Struct, array_like=True, tag="completed"):
    """The handler returned.

    Attributes:
        value: JSON text of the result.
        keep: retention of the record; None keeps it.
    """

    value: str
    keep: KeepOption | None


class Failed(msgspec.Struct, array_like=True, tag="failed"):
    """No attempt is left, or the error forbids another.

    Attributes:
        reason: plain text of the error.
        stacktrace: one entry per failed attempt, oldest first.
        attempts: how many were allowed.
        keep: retention of the record; None keeps it.
    """

    reason: str
    stacktrace: tuple[str, ...]
    attempts: int
    keep: KeepOption | None


class Expired(msgspec.Struct, array_like=True, tag="expired"):
    """It was to start before, or another attempt would; its record goes.

    Attributes:
        reason: plain text, which peers read as that of a failure.
    """

    reason: str


class Retried(msgspec.Struct, array_like=True, tag="retried"):
    """The attempt failed and another follows.

    Attributes:
        reason: plain text of the error.
        stacktrace: one entry per failed attempt, oldest first.
        delay_ms: wait before the next attempt; 0 is at once.
        lifo: put it at the front of what waits.
    """

    reason: str
    stacktrace: tuple[str, ...]
    delay_ms: int
    lifo: bool


class Requeued(msgspec.Struct, array_like=True, tag="requeued"):
    """It runs again next, without having used up an attempt: the worker stopped, or the handler asked for it.

    Attributes:
        limit_ms: no job of the queue starts for that long; 0 is no such limit.
    """

    limit_ms: int = 0


class Delayed(msgspec.Struct, array_like=True, tag="delayed"):
    """It runs again later, without having used up an attempt.

    Attributes:
        delay_ms: how long it waits.
    """

    delay_ms: int


class WaitingChildren(msgspec.Struct, array_like=True, tag="waiting children"):
    """It runs again when its children have ended, without having used up an attempt."""


Outcome = Completed | Failed | Expired | Retried | Requeued | Delayed | WaitingChildren

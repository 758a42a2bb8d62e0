"""One effect of a job on the outside world, as it is recorded."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class EffectOutcome(StrEnum):
    """What became of an effect.

    Attributes:
        OPEN: it was begun, and nothing is known yet; its run may still be at it.
        COMMITTED: it was applied.
        FAILED: it was certainly not applied, by no attempt.
        UNKNOWN: it may have been applied.
    """

    OPEN = "open"
    COMMITTED = "committed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class EffectRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An effect as it is recorded on the server.

    Attributes:
        key: what it is about, unique in its queue: a client order id.
        queue: name of the queue.
        job_id: the job that began it last.
        outcome: an ``EffectOutcome``.
        may_have_applied: whether an attempt may have applied it of which nothing is known. It stays so when a
            later attempt certainly fails.
        fence: how often it was begun.
        starts: number of the job's start that began it last.
        attempt: number of the job's attempt that did.
        worker: name of the worker that did, or None.
        payload: digest of what it is about.
        first_started_on: when the first attempt began it that may have applied it, ms since the epoch.
        started_on: when the last one did.
        deadline: until when that one had to end, ms since the epoch, by the server's clock.
        ended_on: when its outcome was last written, or None.
        value: what the venue answered, or None.
        reason: why it failed or is unknown, or None.
        resolved_by: who knows the outcome: ``worker``; ``evidence``, a success that came late; ``reconciler``,
            ``stream``, ``person (ada)``; or None.
        note: what they added, or None.
        evidence: the success that came late, with its fence and its value, or None.
        asked_on: when the reconciliation last asked the venue in vain, or None.
        times_asked: how often it did.
        is_whole_job: the job began no effect and lost its worker: what is unknown is all that it did.
    """

    key: str
    queue: str
    job_id: str
    outcome: str
    may_have_applied: bool = False
    fence: int = 1
    starts: int = 0
    attempt: int = 1
    worker: str | None = None
    payload: str = ""
    first_started_on: int = 0
    started_on: int = 0
    deadline: int = 0
    ended_on: int | None = None
    value: Any = None
    reason: str | None = None
    resolved_by: str | None = None
    note: str | None = None
    evidence: Any = None
    asked_on: int | None = None
    times_asked: int = 0
    is_whole_job: bool = False

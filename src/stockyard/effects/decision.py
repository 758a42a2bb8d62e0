"""Decides what a run does about an effect that was begun before, and what an answer about one proves. No I/O."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from stockyard.model.effect_record import EffectOutcome, EffectRecord
from stockyard.model.venue import Answer, Applied, Venue

NO_VENUE = Venue()
"""Of a queue that declares none: nothing is sent twice, and nothing proves that something was not applied."""

_FIRST_PAUSE_MS = 1_000
_LONGEST_PAUSE_MS = 300_000
_SHORTEST_WAIT_MS = 250


class Step(StrEnum):
    """What a run does.

    Attributes:
        BEGIN: act; nothing that was begun before may have been applied.
        RESEND: act, though an attempt before may have been applied: the venue ignores a second request.
        RETURN: the effect is applied; return what was recorded.
        WAIT: look again later.
        UNKNOWN: fail; nobody knows whether it was applied.
        MISMATCH: fail; the key was used for something else.
    """

    BEGIN = "begin"
    RESEND = "resend"
    RETURN = "return"
    WAIT = "wait"
    UNKNOWN = "unknown"
    MISMATCH = "mismatch"


class Decision(NamedTuple):
    """A step, when to look again in ms, and why."""

    step: Step
    wait_ms: int = 0
    reason: str = ""


class Asked(NamedTuple):
    """What a run is about to do: the digest of its payload, how long it takes at most, and the time, in ms.

    Attributes:
        is_late: its job has expired: it begins nothing, and may only learn what became of what it began before.
    """

    payload: str
    most_ms: int
    now: int
    is_late: bool = False


def decide(record: EffectRecord | None, asked: Asked, venue: Venue, *, is_reconciled: bool) -> Decision:
    """Return what a run does about an effect.

    Args:
        record: what is known of the effect, or None.
        asked: what the run wants.
        venue: its rules.
        is_reconciled: whether the queue has an ``on_unknown`` that asks the venue.
    """
    if record is None:
        return Decision(Step.BEGIN)
    if record.payload != asked.payload:
        return Decision(Step.MISMATCH, reason=f"effect {record.key} was begun with another payload{_by(record)}")
    if record.outcome == EffectOutcome.COMMITTED:
        return Decision(Step.RETURN)
    if record.outcome == EffectOutcome.FAILED:
        return Decision(Step.BEGIN)
    if record.outcome == EffectOutcome.OPEN and asked.now < record.deadline:
        # Its run may be sending at this moment: nothing about it can be known yet.
        return Decision(Step.WAIT, max(record.deadline - asked.now, _SHORTEST_WAIT_MS))
    if not asked.is_late and may_resend(record, asked, venue):
        return Decision(Step.RESEND)
    reason = f"effect {record.key} may have been applied{_by(record)}"
    if not is_reconciled or venue.verify is None:
        return Decision(Step.UNKNOWN, reason=reason)
    proves_at = proves_from(record, venue)
    if record.asked_on is not None and record.asked_on >= proves_at:
        return Decision(Step.UNKNOWN, reason=f"{reason}; the reconciliation could not find out")
    return Decision(Step.WAIT, max(proves_at - asked.now, _FIRST_PAUSE_MS))


def may_resend(record: EffectRecord, asked: Asked, venue: Venue) -> bool:
    """Say whether a second request with the same key is certain to be ignored if the first one was applied."""
    if venue.dedup == "forever":
        return True
    # The venue counts from when it took the first request, which was not before that was begun; the second one may
    # arrive as late as one can be accepted.
    latest = asked.now + asked.most_ms + venue.settle_ms
    return latest <= record.first_started_on + venue.window_ms


def proves_from(record: EffectRecord, venue: Venue) -> int:
    """Return from when on a query that finds nothing proves that an effect was not applied, ms since the epoch."""
    return record.deadline + venue.settle_ms


def judge(answer: Answer, record: EffectRecord, venue: Venue, *, asked_at: int) -> EffectOutcome:
    """Return what an answer of ``on_unknown`` proves: committed, failed, or nothing yet.

    Args:
        answer: as it was given.
        record: the effect that was asked for.
        venue: its rules.
        asked_at: when the venue was asked at the earliest, ms since the epoch.

    Raises:
        TypeError: it is no answer.
    """
    if isinstance(answer, Applied) or answer == "applied":
        return EffectOutcome.COMMITTED
    if answer is None or answer == "unknown":
        return EffectOutcome.UNKNOWN
    if answer != "not_applied":
        raise TypeError(
            "on_unknown must return Applied(value), 'applied', 'not_applied', 'unknown' or None; "
            f"got {answer!r:.200}"
        )
    if venue.verify is None or asked_at < proves_from(record, venue):
        return EffectOutcome.UNKNOWN
    return EffectOutcome.FAILED


def asks_at(record: EffectRecord, venue: Venue) -> int:
    """Return when to ask for an unknown effect next, ms since the epoch: at once, when it is a proof, and on."""
    if record.asked_on is None:
        return 0
    pause = min(_FIRST_PAUSE_MS << min(record.times_asked - 1, 20), _LONGEST_PAUSE_MS)
    proves_at = proves_from(record, venue)
    if record.asked_on < proves_at:
        return min(record.asked_on + pause, proves_at)
    return record.asked_on + pause


def _by(record: EffectRecord) -> str:
    return f" by attempt {record.attempt} of job {record.job_id}"

"""What becomes of alerts over time: pending, firing, silenced, resolved. Pure: clock and past are arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from stockyard.observe.alerts.rules import Alert

MAX_RESOLVE_RETRY_MS = 3_600_000
"""Milliseconds for which the notification of an incident's end is retried."""


class Status(StrEnum):
    """State of an incident: not yet for long enough, firing, or over."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Incident(msgspec.Struct, frozen=True):
    """One rule that holds for one queue or the server, from its beginning to its end.

    Attributes:
        rule: name of the rule.
        subject: name of the queue, or ``server``.
        status: where it is.
        since: when it began, ms since the epoch.
        value, threshold: the measure last seen, and what it exceeds.
        action: what to do.
        message: all of that in one sentence.
        notified: the notifiers that delivered this status.
        announced: the notifiers that delivered that it fires.
        at: when its status last changed, ms since the epoch.
    """

    rule: str
    subject: str
    status: Status
    since: int
    value: float
    threshold: float
    action: str
    message: str
    notified: tuple[str, ...] = ()
    announced: tuple[str, ...] = ()
    at: int = 0

    @property
    def name(self) -> str:
        """Its rule and subject, unique among those that are not over."""
        return f"{self.rule}/{self.subject}"


class Silence(msgspec.Struct, frozen=True):
    """No notifications for a rule or a queue, or both, for a time.

    Attributes:
        rule: name of the rule, or None for all.
        subject: name of the queue, or None for all.
        until: ms since the epoch.
        reason: one line for people.
    """

    rule: str | None
    subject: str | None
    until: int
    reason: str = ""

    @property
    def name(self) -> str:
        """Its rule and subject, ``*`` for all."""
        return f"{self.rule or '*'}/{self.subject or '*'}"

    def covers(self, incident: Incident, now: int) -> bool:
        """Whether it holds now, and for this incident."""
        return now < self.until and self.rule in (None, incident.rule) and self.subject in (None, incident.subject)


def advance(
    known: Mapping[str, Incident], alerts: Iterable[Alert], durations: Mapping[str, int], *, now: int
) -> dict[str, Incident]:
    """Return the incidents as they are now.

    Args:
        known: those of the last look, by name.
        alerts: the rules that hold now.
        durations: for how many ms a rule must hold before it fires, by its name.
        now: ms since the epoch.
    """
    incidents = {}
    for alert in alerts:
        fresh = Incident(
            alert.rule,
            alert.queue,
            Status.PENDING,
            now,
            alert.value,
            alert.threshold,
            alert.action,
            alert.message,
            at=now,
        )
        before = known.get(fresh.name)
        if before is not None and before.status is not Status.RESOLVED:
            fresh = msgspec.structs.replace(
                fresh,
                status=before.status,
                since=before.since,
                notified=before.notified,
                announced=before.announced,
                at=before.at,
            )
        if fresh.status is Status.PENDING and now - fresh.since >= durations.get(fresh.rule, 0):
            fresh = msgspec.structs.replace(fresh, status=Status.FIRING, at=now)
        incidents[fresh.name] = fresh
    for name, before in known.items():
        if name in incidents:
            continue
        if before.status is Status.RESOLVED:
            if now - before.at < MAX_RESOLVE_RETRY_MS:
                incidents[name] = before
        elif before.announced:
            incidents[name] = msgspec.structs.replace(before, status=Status.RESOLVED, notified=(), at=now)
    return incidents


def pending_notifications(
    incidents: Iterable[Incident], silences: Iterable[Silence], notifiers: Iterable[str], *, now: int
) -> list[tuple[Incident, str]]:
    """Return the notifications to send now, with their notifiers.

    A firing incident goes to every notifier that has not sent it, its end to those that sent it; nothing that is
    silenced.
    """
    names, hushed = list(notifiers), list(silences)
    return [
        (each, name)
        for each in incidents
        if not any(silence.covers(each, now) for silence in hushed)
        for name in names
        if name not in each.notified
        and (each.status is Status.FIRING or (each.status is Status.RESOLVED and name in each.announced))
    ]


def notified(incident: Incident, by: Iterable[str]) -> Incident | None:
    """Return the incident once these notifiers have sent its status; None when that was its end."""
    names = (*incident.notified, *by)
    if incident.status is Status.RESOLVED:
        if set(incident.announced) <= set(names):
            return None
        return msgspec.structs.replace(incident, notified=names)
    return msgspec.structs.replace(incident, notified=names, announced=names)

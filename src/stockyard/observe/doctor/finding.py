"""What a look at a server found: one finding for each thing that was looked at."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec
from msgspec.structs import replace


class Severity(StrEnum):
    """How bad a finding is: ``danger`` can lose jobs or run them twice."""

    OK = "ok"
    WARNING = "warning"
    DANGER = "danger"


_RANK = {Severity.DANGER: 0, Severity.WARNING: 1, Severity.OK: 2}


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        check: what was looked at.
        severity: how bad it is.
        cause: what was found.
        danger: what it can lead to; empty when all is well.
        remedy: what to do; empty when all is well.
        is_hidden: whether the server hides it; a warning, unless the server is trusted.
    """

    check: str
    severity: Severity
    cause: str
    danger: str = ""
    remedy: str = ""
    is_hidden: bool = False

    def is_worse_than(self, other: Finding) -> bool:
        """Say whether this one is to be looked at before another one."""
        return _RANK[self.severity] < _RANK[other.severity]


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, the dangers first."""
    return sorted(findings, key=lambda each: _RANK[each.severity])


def worst(findings: Iterable[Finding]) -> Severity:
    """Return the worst severity among findings."""
    seen = {finding.severity for finding in findings}
    return next((each for each in (Severity.DANGER, Severity.WARNING) if each in seen), Severity.OK)


def ok(check: str, cause: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, Severity.OK, cause)


def warning(check: str, cause: str, danger: str, remedy: str) -> Finding:
    """Return a finding that asks for attention."""
    return Finding(check, Severity.WARNING, cause, danger, remedy)


def danger(check: str, cause: str, danger: str, remedy: str) -> Finding:
    """Return a finding of something that can lose jobs or run them twice."""
    return Finding(check, Severity.DANGER, cause, danger, remedy)


def hidden(check: str, what: str, command: str = "INFO") -> Finding:
    """Return the finding that a server does not show something.

    Args:
        check: what was to be looked at.
        what: what is not shown.
        command: the command that would show it.
    """
    right = f"+{command.lower().replace(' ', '|')}"
    return Finding(
        check,
        Severity.WARNING,
        f"the server hides {what}",
        "what cannot be seen cannot be judged",
        f"let this user run {command} (ACL: {right}), or acknowledge it with STOCKYARD_TRUST_SERVER=1",
        is_hidden=True,
    )


def trusted(finding: Finding) -> Finding:
    """Return what a hidden finding is on a server that is trusted; any other stays as it is."""
    if not finding.is_hidden:
        return finding
    cause = f"{finding.cause}; trusted by STOCKYARD_TRUST_SERVER"
    return replace(finding, severity=Severity.OK, cause=cause, danger="", remedy="")

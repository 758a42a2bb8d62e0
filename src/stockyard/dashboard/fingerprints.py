"""Groups failures by what went wrong: type of the error, place in the code, message without what varies. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stockyard.model.job import Job

_LONGEST = 200
_MOST_SAMPLES = 5
_VARIES = re.compile(
    r"0x[0-9a-f]+"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
    r"|'[^']{0,200}'|\"[^\"]{0,200}\""
    r"|\b[0-9a-f]{16,}\b"
    r"|\d+(?:[.,:]\d+)*",
    re.IGNORECASE,
)
_PYTHON_PLACE = re.compile(r'File "(?:[^"]*/)?([^"/]+)", line \d+, in (\S+)')
_NODE_PLACE = re.compile(r"^\s*at (?:async )?([\w.<>]+) \((?:[^()]*/)?([^()/:]+):\d+:\d+\)", re.MULTILINE)
_TYPE = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Refused|Timeout|Failed|Cancelled|Unknown)): ")


class Fingerprint(NamedTuple):
    """What failures have in common.

    Attributes:
        key: short text that is the same for the same kind of failure.
        error: type of the error, or empty.
        place: file and function, or empty.
        message: with numbers, ids and quoted texts taken out.
    """

    key: str
    error: str
    place: str
    message: str


@dataclass(slots=True)
class FailureGroup:
    """Jobs that failed alike.

    Attributes:
        fingerprint: what they have in common.
        count: how many there are among those looked at.
        first, last: when the first and the last of them failed, ms since the epoch.
        names: names of their jobs.
        samples: the newest of them.
    """

    fingerprint: Fingerprint
    count: int = 0
    first: int = 0
    last: int = 0
    names: set[str] = field(default_factory=set)
    samples: list[Job[Any]] = field(default_factory=list)

    def add(self, job: Job[Any]) -> None:
        """Count a job."""
        at = job.finished_on or job.timestamp
        self.count += 1
        self.first = min(self.first or at, at)
        self.last = max(self.last, at)
        self.names.add(job.name)
        if len(self.samples) < _MOST_SAMPLES:
            self.samples.append(job)


def fingerprint(reason: str | None, stacktrace: Sequence[str]) -> Fingerprint:
    """Return what a failure has in common with others."""
    trace = stacktrace[-1] if stacktrace else ""
    first = (reason or "").strip().partition("\n")[0]
    error = _error_of(first, trace)
    place = _place_of(trace)
    message = " ".join(_VARIES.sub("…", first.removeprefix(f"{error}: ")).split())[:_LONGEST]
    digest = hashlib.sha256("\0".join((error, place, message)).encode("utf-8", "replace")).hexdigest()
    return Fingerprint(digest[:12], error, place, message)


def grouped(jobs: Iterable[Job[Any]], groups: dict[str, FailureGroup] | None = None) -> dict[str, FailureGroup]:
    """Group failed jobs by their fingerprints, into groups that may have some already."""
    into = {} if groups is None else groups
    for job in jobs:
        found = fingerprint(job.failed_reason, job.stacktrace)
        into.setdefault(found.key, FailureGroup(found)).add(job)
    return into


def _error_of(first: str, trace: str) -> str:
    if found := _TYPE.match(first):
        return found[1]
    # Python names the type in the last line of a trace, Node in the first.
    lines = [line for line in trace.strip().splitlines() if line and not line.startswith((" ", "\t"))]
    for line in reversed(lines):
        name = line.partition(":")[0].strip()
        if name and not line.startswith("Traceback") and re.fullmatch(r"[\w.]+", name):
            return name.rpartition(".")[2]
    return ""


def _place_of(trace: str) -> str:
    if places := _PYTHON_PLACE.findall(trace):
        file, function = places[-1]
        return f"{file} in {function}"
    if found := _NODE_PLACE.search(trace):
        return f"{found[2]} in {found[1]}"
    return ""

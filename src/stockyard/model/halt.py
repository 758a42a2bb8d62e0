"""Halts: which queues and keys are held, who asked for it, when and why."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from stockyard.model.options import JobOptions

HaltSource = Literal["person", "breaker"]
"""Who halts: a person, by ``App.halt``, or the circuit breaker of a queue."""

HaltAction = Literal["halt", "resume", "open", "trial failed", "close"]
"""What an audit notes; the last three are those of circuit breakers."""


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps jobs from being started, and effects from being begun, until it is resumed.

    Attributes:
        queues: name of a queue, or a pattern, as in ``"execution:*"``; the queue of a circuit breaker.
        key: only jobs with this key, or with this value in their scope; None for all jobs.
        reason: why.
        by: who asked for it.
        since: when, ms since the epoch.
        source: ``"person"``, or ``"breaker"``.
    """

    queues: str
    key: str | None = None
    reason: str
    by: str
    since: int
    source: HaltSource = "person"

    def applies_to(self, queue: str) -> bool:
        """Say whether it holds jobs of a queue."""
        return fnmatchcase(queue, self.queues)

    def __str__(self) -> str:
        what = self.queues if self.key is None else f"key {self.key} of {self.queues}"
        return f"{what} halted by {self.by}: {self.reason}"


class HaltChange(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the audit of halts.

    Attributes:
        id: of the entry: its time in ms, and a number.
        action: ``"halt"`` or ``"resume"``; of a circuit breaker ``"open"``, ``"trial failed"`` or ``"close"``.
        queues, key, reason, by: as in ``Halt``.
    """

    id: str
    action: HaltAction
    queues: str
    key: str | None = None
    reason: str
    by: str

    @property
    def at(self) -> int:
        """When, ms since the epoch."""
        return int(self.id.partition("-")[0])


def halt_keys(options: JobOptions) -> tuple[str, ...]:
    """Return what a halt may name of a job: its key, and the values of its scope."""
    scope = () if options.use is None else tuple(value for _, value in options.use.scope)
    return scope if options.key is None else (options.key, *scope)

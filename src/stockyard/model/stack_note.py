"""What a worker writes into the log of a job that is stuck: since when, and where its handler stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_BEGINNING = "stuck in attempt "


class StackNote(NamedTuple):
    """Where the handler of a job stands.

    Attributes:
        attempt: of the job.
        reason: why it is thought to be stuck.
        stack: of the handler, as text; empty where it cannot be seen.
    """

    attempt: int
    reason: str
    stack: str

    def line(self) -> str:
        """Return the entry of the job's log."""
        return f"{_BEGINNING}{self.attempt}: {self.reason}\n{self.stack}".rstrip()

    @classmethod
    def read(cls, line: str) -> StackNote | None:
        """Return the note of an entry of a job's log; None where it is another one."""
        head, _, stack = line.partition("\n")
        attempt, found, reason = head.removeprefix(_BEGINNING).partition(": ")
        is_note = head.startswith(_BEGINNING) and found and attempt.isascii() and attempt.isdecimal()
        return cls(int(attempt), reason, stack) if is_note and len(attempt) < 9 else None


def latest_note(log: Sequence[str], attempt: int) -> StackNote | None:
    """Return the last note on an attempt among entries of its job's log, or None."""
    notes = [note for line in log if (note := StackNote.read(line)) is not None and note.attempt == attempt]
    return notes[-1] if notes else None

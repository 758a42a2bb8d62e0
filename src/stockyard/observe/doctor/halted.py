"""Judges what is halted: a halt that was forgotten looks like a queue that hangs."""

from __future__ import annotations

from collections.abc import Sequence

from stockyard.errors import ServerError
from stockyard.model.halt import Halt
from stockyard.model.printable import printable
from stockyard.observe.doctor.finding import Finding, ok, warning

_CHECK = "halts"


def diagnose_halts(halts: Sequence[Halt]) -> Finding:
    """Judge the halts that hold now, open circuit breakers among them."""
    if not halts:
        return ok(_CHECK, "nothing is halted")
    first, more = halts[0], len(halts) - 1
    return warning(
        _CHECK,
        printable(f"{first}{f'; and {more} more' if more else ''}"),
        "no job of these queues or keys starts, and no effect begins",
        "look why: stockyard halts; when that is over: stockyard resume",
    )


def unread_halts(error: ServerError) -> Finding:
    """Return the finding that nobody says what is halted now."""
    return warning(
        _CHECK,
        f"they cannot be read now: {error}",
        "a halt that holds is not seen",
        "look again when the server answers: stockyard halts",
    )

"""Asks the server whether what was just written is safe: on its disk, or at a replica."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stockyard._store.jobs.adding import Answer, Answers, ExistingJob
from stockyard._store.net.connection import Command
from stockyard.errors import NotDurable, StockyardError
from stockyard.model.durability import Durability

_SHARE = 0.8
"""Of the call timeout, that the server is given: its answer must come before we give up on the connection."""

_REMEDIES = {
    "aof": "is appendonly on, and the disk fast enough?",
    "replica": "is a replica connected, and does it keep up?",
}


def wait_command(durability: Durability, call_timeout: float) -> Command:
    """Return the command that is answered when all earlier writes of its connection are safe, or in time.

    Args:
        durability: what is to have them.
        call_timeout: seconds of a call.
    """
    milliseconds = max(int(call_timeout * 1000 * _SHARE), 1)
    return ("WAITAOF", 1, 0, milliseconds) if durability == "aof" else ("WAIT", 1, milliseconds)


def confirmed(answers: Answers, durability: Durability, reply: Any) -> Sequence[Answer | NotDurable]:
    """Return the answers when the writes are safe; else the error of each job that was added, or was there.

    Args:
        answers: to the adds.
        durability: what was asked for.
        reply: to ``wait_command``.
    """
    shortfall = _shortfall_of(durability, reply)
    if not shortfall:
        return answers
    return [
        answer if isinstance(answer, StockyardError) else _unsafe(answer, durability, shortfall)
        for answer in answers
    ]


def _unsafe(answer: str | ExistingJob, durability: Durability, why: str) -> NotDurable:
    return NotDurable(answer if isinstance(answer, str) else answer.job_id, durability, why)


def _shortfall_of(durability: Durability, reply: Any) -> str:
    """Return what is missing; the server answers with the number it reached, also when the time ran out."""
    remedy = _REMEDIES[durability]
    if isinstance(reply, Exception):
        return f"the server did not confirm it ({reply}); {remedy}"
    reached = reply[0] if durability == "aof" and isinstance(reply, list) else reply
    if isinstance(reached, int) and reached >= 1:
        return ""
    what = "its append-only file" if durability == "aof" else "a replica"
    return f"{what} did not have it in time; {remedy}"

"""Reads where in the line a job waits, and how fast the line moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.numbers import whole
from stockyard._store.scripts import load
from stockyard._store.snapshots import JobPosition
from stockyard.model.job import JobState

_POSITION = load("reading.position")
_MOST_SEARCHED = 20_000
"""Jobs that are looked through from each end of a list: a millisecond of the server at most."""

_MINUTES = 4
_MINUTE = 60_000
_SHORTEST = 5_000
"""Milliseconds of which a rate is made at least: fewer say nothing."""


async def read_position(keyspace: QueueKeyspace, job_id: str) -> JobPosition:
    """Return where a job is, and when it may start."""
    await keyspace.learn_time()
    answer = await keyspace.run(_POSITION, keyspace.base, job_id, _MOST_SEARCHED, _MINUTES)
    return position_of(answer, keyspace.clock())


def position_of(answer: Sequence[Any], now: int) -> JobPosition:
    """Read the script's answer.

    Args:
        answer: as ``reading.position`` returns it.
        now: ms since the epoch.
    """
    name, before, is_exact, due, is_paused, completed, failed = answer
    state = JobState(name.decode())
    rate = _rate([completed, failed], now)
    starts_in = None
    if state is JobState.DELAYED:
        starts_in = max(due - now, 0) / 1000
    elif state in (JobState.WAITING, JobState.PRIORITIZED) and not is_paused:
        starts_in = 0.0 if before == 0 else before / rate if rate else None
    waits = state in (JobState.WAITING, JobState.PRIORITIZED)
    return JobPosition(state, before if waits else None, bool(is_exact), bool(is_paused), rate, starts_in)


def _rate(counts: Sequence[tuple[int, int, int, Sequence[bytes]]], now: int) -> float | None:
    """Return jobs a second that ended in the running minute and the few before; None where nobody counted."""
    found = [each for each in counts if each[1]]
    if not found:
        return None
    # A kind that has no jobs yet was counted no shorter for it.
    minutes = max(len(points) for *_, points in found)
    begun = min(since // _MINUTE * _MINUTE for _, since, _, _ in found)
    ended = sum(
        count - before + sum(whole(each.decode()) or 0 for each in points) for count, _, before, points in found
    )
    length = now - begun + minutes * _MINUTE
    return None if length < _SHORTEST else ended / length * 1000

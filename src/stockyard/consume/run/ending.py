"""The end of one run on its way to the server."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stockyard.consume.run.active_runs import Run
from stockyard.model.outcome import Outcome


class Ending(msgspec.Struct, eq=False):
    """How a run ended, until the server has confirmed it.

    Attributes:
        job_id: id of the job.
        token: of its lease.
        outcome: how it ended.
        starts: number of the job's start.
        run: the run; None for a job that was not run.
        may_be_written: it was sent, and no reply came.
        was_held_up: the server was away when it was sent: its lock may have run out meanwhile.
        is_unlocked: its lock was gone when it was sent.
    """

    job_id: str
    token: str
    outcome: Outcome
    starts: int
    run: Run | None = None
    may_be_written: bool = False
    was_held_up: bool = False
    is_unlocked: bool = False


def traces_of(endings: Sequence[Ending]) -> list[object]:
    """Return the spans of runs that were traced."""
    return [ending.run.trace for ending in endings if ending.run is not None and ending.run.trace is not None]

"""Looks for jobs through the states of a queue, within a time for each step; a step says where the next begins."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.job import Job, JobState
from stockyard.model.job_query import Query, fits, query_of

PAGE = 200
"""Jobs that are read at a time."""
SEARCHED_STATES = tuple(
    state.value
    for state in (
        JobState.ACTIVE,
        JobState.WAITING,
        JobState.PRIORITIZED,
        JobState.DELAYED,
        JobState.WAITING_CHILDREN,
        JobState.FAILED,
        JobState.COMPLETED,
    )
)
"""In the order in which they are looked through."""


class FoundJob(NamedTuple):
    """A job that a search has found.

    Attributes:
        job: as it was read.
        state: in which it was found; None for one that was found by its id, at once.
    """

    job: Job[Any]
    state: JobState | None


class SearchStep(NamedTuple):
    """What one step of a search has found.

    Attributes:
        found: the jobs, in the order in which they were found.
        looked_at: how many jobs it looked at.
        after: where the next step begins; None when all was looked at.
    """

    found: Sequence[FoundJob]
    looked_at: int
    after: str | None


class Searched(Protocol):
    """What a search asks of a queue."""

    async def get_job(self, job_id: str) -> Job[Any] | None: ...

    @property
    def get_jobs(self) -> Callable[..., Awaitable[list[Job[Any]]]]: ...


async def search(
    queue: Searched, text: str, states: Sequence[str], after: str | None, *, seconds: float, count: int
) -> SearchStep:
    """Look for jobs from a place on; see ``Queue.search``."""
    until = time.monotonic() + seconds
    query, (state, page) = query_of(text), _place(after, len(states))
    found: list[FoundJob] = []
    if after is None and query.kind in ("any", "id"):
        found += await _by_id(queue, query)
        if query.kind == "id":
            return SearchStep(found, 1, None)
    known = {each.job.id for each in found}
    looked_at = 0
    while state < len(states):
        jobs = await queue.get_jobs(states[state], page=page, size=PAGE)
        looked_at += len(jobs)
        found += [
            FoundJob(job, JobState(states[state])) for job in jobs if job.id not in known and fits(job, query)
        ]
        state, page = (state, page + 1) if len(jobs) == PAGE else (state + 1, 1)
        if len(found) >= count or time.monotonic() >= until:
            break
    return SearchStep(found, looked_at, f"{state}-{page}" if state < len(states) else None)


async def _by_id(queue: Searched, query: Query) -> list[FoundJob]:
    try:
        job = await queue.get_job(query.exact) if query.exact else None
    except InvalidOption:
        # Several shards have a job of that id; what was meant as other text is no id.
        if query.kind == "id":
            raise
        job = None
    return [] if job is None else [FoundJob(job, None)]


def _place(after: str | None, states: int) -> tuple[int, int]:
    """Return number of the state, and page; raises InvalidOption."""
    if after is None:
        return 0, 1
    state, _, page = checks.text("after", after).partition("-")
    if not all(part.isascii() and part.isdecimal() and len(part) < 9 for part in (state, page)):
        raise InvalidOption(f"after must be what a step of the same search returned; got {checks.shown(after)}")
    if int(state) >= states or int(page) < 1:
        raise InvalidOption(f"after must be what a step of the same search returned; got {checks.shown(after)}")
    return int(state), int(page)

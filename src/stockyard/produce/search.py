"""Looks for jobs through the states of a queue, within a time for each step; a step says where the next begins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from stockyard._store.jobs.reading import PagePlace
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

    async def _parts(self) -> Sequence[SearchedPart]: ...


class SearchedPart(Protocol):
    """What a search asks of one shard; of a queue without shards, of the queue."""

    async def _read_part(
        self, state: str, place: PagePlace, size: int
    ) -> tuple[list[Job[Any]], PagePlace | None]: ...


class _Place(NamedTuple):
    """Where a search is: number of the state, of the shard, and how far it has come there."""

    state: int = 0
    shard: int = 0
    page: PagePlace = PagePlace()

    def __str__(self) -> str:
        return "-".join(map(str, (self.state, self.shard, *self.page)))


async def search(
    queue: Searched, text: str, states: Sequence[str], after: str | None, *, seconds: float, count: int
) -> SearchStep:
    """Look for jobs from a place on; see ``Queue.search``."""
    until = time.monotonic() + seconds
    query, place = query_of(text), _place_of(after, len(states))
    found: list[FoundJob] = []
    if after is None and query.kind in ("any", "id"):
        found += await _by_id(queue, query)
        if query.kind == "id":
            return SearchStep(found, 1, None)
    known = {each.job.id for each in found}
    looked_at, parts = 0, await queue._parts()
    while place.state < len(states):
        state, page = states[place.state], None
        # Shards may be fewer by now.
        if place.shard < len(parts):
            jobs, page = await parts[place.shard]._read_part(state, place.page, PAGE)
            looked_at += len(jobs)
            found += [FoundJob(job, JobState(state)) for job in jobs if job.id not in known and fits(job, query)]
        if page is not None:
            place = place._replace(page=page)
        elif place.shard + 1 < len(parts):
            place = _Place(place.state, place.shard + 1)
        else:
            place = _Place(place.state + 1)
        if len(found) >= count or time.monotonic() >= until:
            break
    return SearchStep(found, looked_at, str(place) if place.state < len(states) else None)


async def _by_id(queue: Searched, query: Query) -> list[FoundJob]:
    try:
        job = await queue.get_job(query.exact) if query.exact else None
    except InvalidOption:
        # Several shards have a job of that id; what was meant as other text is no id.
        if query.kind == "id":
            raise
        job = None
    return [] if job is None else [FoundJob(job, None)]


def _place_of(after: str | None, states: int) -> _Place:
    """Return where a step begins; raises InvalidOption."""
    if after is None:
        return _Place()
    numbers = checks.text("after", after).split("-")
    if len(numbers) == 5 and all(each.isascii() and each.isdecimal() and len(each) < 10 for each in numbers):
        state, shard, source, line, skip = map(int, numbers)
        if state < states and source >= 1:
            return _Place(state, shard, PagePlace(source, line, skip))
    raise InvalidOption(f"after must be what a step of the same search returned; got {checks.shown(after)}")

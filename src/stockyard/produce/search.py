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
from stockyard.model.search_index import is_indexed

PAGE = 200
"""Jobs that are read at a time."""
_BEFORE_ACTIVE = (JobState.WAITING, JobState.PRIORITIZED, JobState.DELAYED, JobState.WAITING_CHILDREN)
SEARCHED_STATES = tuple(
    state.value for state in (JobState.ACTIVE, *_BEFORE_ACTIVE, JobState.FAILED, JobState.COMPLETED)
)
"""In the order in which they are looked through."""


class FoundJob(NamedTuple):
    """A job that a search has found.

    Attributes:
        job: as it was read.
        state: in which it was found; None for one that was found at once, by its id or by an index.
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

    def _now(self) -> int: ...

    async def _read_part(
        self, state: str, place: PagePlace, size: int
    ) -> tuple[list[Job[Any]], PagePlace | None]: ...

    async def _read_index(
        self, path: str, value: str, place: PagePlace, size: int
    ) -> tuple[list[Job[Any]], PagePlace | None]: ...

    async def _in_index(self, path: str, value: str, jobs: Sequence[Job[Any]]) -> list[bool]: ...


class _Place(NamedTuple):
    """Where a search is: when it began in ms, number of the stage and of the shard, and how far it is there."""

    began: int
    stage: int = 0
    shard: int = 0
    page: PagePlace = PagePlace()

    def __str__(self) -> str:
        return "-".join(map(str, (self.stage, self.shard, *self.page, self.began)))


_INDEX = "index"
"""The stage before the states, of a search for a value that the queue has an index of."""
_STARTED = "started"
"""The stage behind the states before a run: jobs that left one of them for a run before it was read."""


async def search(
    queue: Searched,
    text: str,
    states: Sequence[str],
    after: str | None,
    *,
    seconds: float,
    count: int,
    indexed: Sequence[str] = (),
) -> SearchStep:
    """Look for jobs from a place on; see ``Queue.search``."""
    until = time.monotonic() + seconds
    query = query_of(text)
    has_index = query.kind == "path" and is_indexed(indexed, query.path)
    stages = _stages_of(states, has_index=has_index)
    place = None if after is None else _place_of(after, len(stages))
    found: list[FoundJob] = []
    if after is None and query.kind in ("any", "id"):
        found += await _by_id(queue, query)
        if query.kind == "id":
            return SearchStep(found, 1, None)
    known = {each.job.id for each in found}
    looked_at, parts = 0, await queue._parts()
    place = place or _Place(parts[0]._now())
    while place.stage < len(stages):
        stage, page = stages[place.stage], None
        # Shards may be fewer by now.
        if place.shard < len(parts):
            part = parts[place.shard]
            if stage == _INDEX:
                hits, page = await _of_index(part, query, place.page, states)
            else:
                state = JobState.ACTIVE if stage == _STARTED else JobState(stage)
                jobs, page = await part._read_part(state, place.page, PAGE)
                if stage == _STARTED:
                    jobs = [job for job in jobs if (job.processed_on or 0) >= place.began]
                looked_at += len(jobs)
                hits = [FoundJob(job, state) for job in jobs if fits(job, query)]
                if has_index and hits:
                    hits = await _unknown_to_index(part, query, hits)
            found += [hit for hit in hits if hit.job.id not in known]
        place = _following(place, page, len(parts))
        # What the index has is there at once.
        if len(found) >= count or time.monotonic() >= until or (found and stage == _INDEX):
            break
    return SearchStep(found, looked_at, str(place) if place.stage < len(stages) else None)


async def _of_index(
    part: SearchedPart, query: Query, place: PagePlace, states: Sequence[str]
) -> tuple[list[FoundJob], PagePlace | None]:
    jobs, page = await part._read_index(".".join(query.path), query.text, place, PAGE)
    # What was edited or replaced since has another value.
    hits = [FoundJob(job, None) for job in jobs if fits(job, query)]
    if set(states) >= set(SEARCHED_STATES):
        return hits, page
    in_states = [FoundJob(hit.job, await hit.job.state()) for hit in hits]
    return [hit for hit in in_states if hit.state in states], page


async def _unknown_to_index(part: SearchedPart, query: Query, hits: list[FoundJob]) -> list[FoundJob]:
    """Return the jobs that the index has not shown."""
    noted = await part._in_index(".".join(query.path), query.text, [hit.job for hit in hits])
    return [hit for hit, is_noted in zip(hits, noted, strict=True) if not is_noted]


def _stages_of(states: Sequence[str], *, has_index: bool) -> tuple[str, ...]:
    """Return what is looked through: states, and again at what runs, behind those from which jobs start to run."""
    stages = [_INDEX, *states] if has_index else list(states)
    before = [at for at, stage in enumerate(stages) if stage in _BEFORE_ACTIVE]
    if before and JobState.ACTIVE in stages[: before[-1]]:
        stages.insert(before[-1] + 1, _STARTED)
    return tuple(stages)


def _following(place: _Place, page: PagePlace | None, shards: int) -> _Place:
    if page is not None:
        return place._replace(page=page)
    if place.shard + 1 < shards:
        return _Place(place.began, place.stage, place.shard + 1)
    return _Place(place.began, place.stage + 1)


async def _by_id(queue: Searched, query: Query) -> list[FoundJob]:
    try:
        job = await queue.get_job(query.exact) if query.exact else None
    except InvalidOption:
        # Several shards have a job of that id; what was meant as other text is no id.
        if query.kind == "id":
            raise
        job = None
    return [] if job is None else [FoundJob(job, None)]


def _place_of(after: str, stages: int) -> _Place:
    """Return where a step begins; raises InvalidOption."""
    numbers = checks.text("after", after).split("-")
    if len(numbers) == 6 and all(each.isascii() and each.isdecimal() and len(each) < 15 for each in numbers):
        stage, shard, source, line, skip, began = map(int, numbers)
        if stage < stages and source >= 1 and max(shard, source, line, skip) < 10**9:
            return _Place(began, stage, shard, PagePlace(source, line, skip))
    raise InvalidOption(f"after must be what a step of the same search returned; got {checks.shown(after)}")

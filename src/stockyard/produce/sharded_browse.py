"""What readers ask of a queue with shards: its shards' answers, put together."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from stockyard._aio.together import of_each
from stockyard._store.jobs import merging, reading
from stockyard._store.snapshots import (
    Canary,
    JobPosition,
    PayloadVersion,
    QueueMetrics,
    QueueSettings,
    VersionJobs,
    WorkerInfo,
)
from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.job import Job, JobState
from stockyard.model.sharding import numbered_id
from stockyard.produce.browse import QueueBrowser, counts_of, listed_states
from stockyard.produce.over_shards import OverShards
from stockyard.produce.prometheus import exposition
from stockyard.produce.search import SearchedPart

if TYPE_CHECKING:
    from stockyard.produce.queue import Queue

_MOST = 1000
"""Jobs that one call reads at most."""


class _Found(NamedTuple):
    """A job and the shard that it is in."""

    shard: Queue
    job: Job[Any]


class ShardedBrowser(OverShards, QueueBrowser):
    """The read side of a queue with shards."""

    async def get_job(self, job_id: str) -> Job[Any] | None:
        """Return a job as it is now, or None when there is none of that id.

        Args:
            job_id: its id. ``"17@4c"`` is also the job that BullMQ on Node has added to the shard ``4c`` under the
                number 17.

        Raises:
            InvalidOption: the id is no text, or jobs of several shards have it.
        """
        found = await self._find(checks.text("job_id", job_id))
        return None if found is None else found.job

    async def position(self, job_id: str) -> JobPosition:
        """Return where a job is in its shard, whose waiting jobs and whose rate count; see ``Queue.position``.

        Raises:
            InvalidOption: the id is no text, or jobs of several shards have it.
        """
        found = await self._find(checks.text("job_id", job_id))
        if found is None:
            return await self._declared[0].position(job_id)
        return await found.shard.position(found.job.id)

    async def versions(self) -> list[PayloadVersion]:
        """Return nothing: a queue with shards has no payload versions."""
        return []

    async def count_versions(self) -> list[VersionJobs]:
        """Return nothing: a queue with shards has no payload versions."""
        return []

    async def canary(self) -> Canary | None:
        """Return None: a queue with shards has no payload versions."""
        return None

    async def _find(self, job_id: str) -> _Found | None:
        shards, numbered = await self._all(), numbered_id(job_id)
        if numbered is not None:
            number, tag = numbered
            for shard in shards:
                if shard._keyspace.shard == tag:
                    job = await shard.get_job(job_id) or await shard.get_job(number)
                    return None if job is None else _Found(shard, job)
        # It may have gone to the shard of its key; and BullMQ's producers number the jobs of each shard by itself.
        jobs = await of_each(shards, lambda shard: shard.get_job(job_id))
        found = [_Found(shard, job) for shard, job in zip(shards, jobs, strict=True) if job is not None]
        if len(found) > 1:
            raise InvalidOption(
                f"{len(found)} shards of queue {self.name!r} have a job {job_id!r}: name the shard, as in "
                f"'{job_id}@{shards[0]._keyspace.shard}' for a number"
            )
        return found[0] if found else None

    async def get_jobs(
        self,
        state: JobState | str | Iterable[JobState | str],
        *,
        page: int = 1,
        size: int = 50,
        newest_first: bool = True,
    ) -> list[Job[Any]]:
        """Return one page of the jobs in a state; see ``Queue.get_jobs``.

        The jobs of each shard come in order, merged by their times. Each shard is read up to the page's end.
        """
        states = listed_states([state] if isinstance(state, str) else state)
        checks.whole("page", page, least=1)
        checks.whole("size", size, least=1, most=_MOST)
        shards, wanted = await self._all(), page * size
        jobs: list[Job[Any]] = []
        for each in states:
            most = wanted - len(jobs)
            lists = await of_each(shards, partial(_first_jobs, state=each, most=most, newest_first=newest_first))
            jobs += list(heapq.merge(*lists, key=_ORDER[JobState(each)], reverse=newest_first))[:most]
            if len(jobs) == wanted:
                break
        return jobs[wanted - size :]

    async def _parts(self) -> Sequence[SearchedPart]:
        return await self._all()

    async def counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state; ``waiting`` leaves out the prioritized ones here.

        Raises:
            ServerRefused: another program has written over a key of the queue, or the user may not read it.
        """
        return counts_of((await self._facts()).sound(self.name))

    async def counts_per_priority(self, priorities: Iterable[int]) -> dict[int, int]:
        """Return how many jobs wait with each of these priorities; 0 is those without one.

        Raises:
            InvalidOption: a priority is out of its range.
        """
        asked = tuple(dict.fromkeys(checks.several("priorities", priorities, of="whole numbers")))
        counted = await of_each(await self._all(), lambda shard: shard.counts_per_priority(asked))
        return {priority: sum(each[priority] for each in counted) for priority in asked}

    async def is_paused(self) -> bool:
        """Say whether the queue is paused: all of its shards are."""
        return all(await of_each(await self._all(), lambda shard: shard.is_paused()))

    async def settings(self) -> QueueSettings:
        """Return the settings that all workers of the queue respect; limits are those of all shards together."""
        return merging.merged_settings(await of_each(await self._all(), lambda shard: shard.settings()))

    async def rate_limit_left_ms(self, limit: int | None = None) -> int:
        """Return how long no job starts because of a rate: milliseconds, 0 when jobs of a shard start.

        Args:
            limit: jobs of a window of each shard, if not its own. Defaults to the rate that was set there.
        """
        return min(await of_each(await self._all(), lambda shard: shard.rate_limit_left_ms(limit)))

    async def deduplication_owner(self, dedup_id: str) -> str | None:
        """Return the id of the job under which others of a deduplication id are dropped, or None."""
        owners = await of_each(await self._all(), lambda shard: shard.deduplication_owner(dedup_id))
        return next((owner for owner in owners if owner is not None), None)

    async def workers(self) -> list[WorkerInfo]:
        """Return the workers that are connected; one that serves several shards is there once, if it has a name.

        Raises:
            ServerRefused: the server's user may not list connections.
        """
        return merging.merged_workers(await of_each(await self._all(), lambda shard: shard.workers()))

    async def metrics(
        self, kind: Literal["completed", "failed"] = "completed", start: int = 0, end: int = -1
    ) -> QueueMetrics:
        """Return how many jobs ended in each minute, newest first; see ``Queue.metrics``."""
        checks.one_of("kind", kind, ("completed", "failed"))
        first, last = checks.place("start", start), checks.place("end", end)
        return merging.merged_metrics(
            await of_each(await self._all(), lambda shard: shard.metrics(kind)), first, last
        )

    async def prometheus(self, labels: Mapping[str, str] | None = None) -> str:
        """Return the queue's numbers as text for Prometheus, under BullMQ's names.

        Args:
            labels: more labels for every line.

        Raises:
            InvalidOption: a label's name is none, or taken.
        """
        facts = (await self._facts()).sound(self.name)
        counts = {state.value: count for state, count in counts_of(facts).items()}
        return exposition(self.name, counts, facts.counted_completed, facts.counted_failed, labels or {})

    async def _facts(self) -> reading.QueueFacts:
        return merging.merged_facts(await reading.read_facts([shard._keyspace for shard in await self._all()]))


async def _first_jobs(shard: Queue, *, state: str, most: int, newest_first: bool) -> list[Job[Any]]:
    """Return the first jobs of a shard in one state."""
    jobs: list[Job[Any]] = []
    size = min(most, _MOST)
    while len(jobs) < most:
        page = await shard.get_jobs(state, page=len(jobs) // size + 1, size=size, newest_first=newest_first)
        jobs += page
        if len(page) < size:
            break
    return jobs[:most]


def _added(job: Job[Any]) -> tuple[int, int]:
    return 0, job.timestamp


def _by_priority(job: Job[Any]) -> tuple[int, int]:
    return job.priority, job.timestamp


def _started(job: Job[Any]) -> tuple[int, int]:
    return 0, job.processed_on or 0


def _due(job: Job[Any]) -> tuple[int, int]:
    return 0, job.timestamp + job.delay_ms


def _ended(job: Job[Any]) -> tuple[int, int]:
    return 0, job.finished_on or 0


_ORDER = {
    JobState.WAITING: _added,
    JobState.PRIORITIZED: _by_priority,
    JobState.ACTIVE: _started,
    JobState.DELAYED: _due,
    JobState.COMPLETED: _ended,
    JobState.FAILED: _ended,
    JobState.WAITING_CHILDREN: _added,
}

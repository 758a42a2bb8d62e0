"""What readers ask of a queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from stockyard._store.jobs import reading
from stockyard._store.jobs.rows import stored_job
from stockyard._store.records import StoredRecord
from stockyard.compat.bullmq.job import Job
from stockyard.compat.bullmq.queue_object import QueueObject
from stockyard.model.job import JobState
from stockyard.produce.queue import Queue as EngineQueue

_TYPES = ("active", "completed", "delayed", "failed", "prioritized", "waiting", "waiting-children")
_ALIASES = {"wait": "waiting"}
_PAUSED = "paused"
"""Jobs that wait in a queue that is paused: a type of its own in earlier versions of the protocol."""

_PAGE = 1000


class QueueReads(QueueObject):
    """The getters of a queue."""

    async def getJob(self, job_id: str) -> Job | None:
        """Read a job, or return None when there is none of that id."""
        return await Job.fromId(self, job_id)

    async def getJobs(self, types: Iterable[str], start: int = 0, end: int = -1, asc: bool = False) -> list[Job]:
        """Return jobs of some types, from the place ``start`` to ``end`` of each, both included.

        Args:
            types: such as ``["waiting", "delayed"]``. An empty list is all.
            start, end: places from 0; -1 is the last.
            asc: begin each type with its oldest. Defaults to False.
        """
        queue = self.engine_queue
        found: dict[str, Job] = {}
        for state in await self._states(types):
            async for record in _records(queue, state, start, end, newest_first=not asc):
                job = stored_job(record, self.name, queue._jobs)
                found.setdefault(job.id, Job.of(self, job))
        return list(found.values())

    def sanitizeJobTypes(self, types: Iterable[str]) -> list[str]:
        """Return each type once; all types where there is none."""
        return list(dict.fromkeys(types) or dict.fromkeys(_TYPES))

    async def _states(self, types: Iterable[str]) -> list[str]:
        states = dict.fromkeys(_ALIASES.get(each, each) for each in self.sanitizeJobTypes(types))
        if _PAUSED in states:
            del states[_PAUSED]
            if await self.isPaused():
                states["waiting"] = None
        return list(states)

    async def getJobCounts(self, *types: str) -> dict[str, int]:
        """Return how many jobs are of each type; without any, of all types."""
        counts = await self.engine_queue.counts()
        found = {each: counts.get(JobState(_ALIASES.get(each, each)), 0) for each in types if each != _PAUSED}
        if _PAUSED in types:
            found[_PAUSED] = counts[JobState.WAITING] if await self.isPaused() else 0
        return found or {each: counts[JobState(each)] for each in _TYPES}

    async def getJobCountByTypes(self, *types: str) -> int:
        """Return how many jobs are of some types together; without any, of all."""
        return sum((await self.getJobCounts(*types)).values())

    async def getCountsPerPriority(self, priorities: Iterable[int]) -> dict[str, int]:
        """Return how many jobs wait with each of these priorities; 0 is those without one."""
        counts = await self.engine_queue.counts_per_priority(priorities)
        return {str(priority): count for priority, count in counts.items()}

    async def getJobState(self, job_id: str) -> str:
        """Return where a job is, or ``"unknown"``."""
        return str(await self.engine_queue._jobs.state(job_id))

    async def getJobLogs(self, job_id: str, start: int = 0, end: int = -1, asc: bool = True) -> dict[str, Any]:
        """Return lines of a job's log, and how many it has: ``{"logs": [...], "count": n}``.

        Args:
            job_id: the job.
            start, end: places of the first and last line, counted from the newest if ``asc`` is False.
            asc: oldest first. Defaults to True.
        """
        jobs = self.engine_queue._jobs
        lines = await jobs.logs(job_id, start, end, newest_first=not asc)
        return {"logs": lines, "count": await jobs.log_count(job_id)}

    async def getActive(self, start: int = 0, end: int = -1) -> list[Job]:
        """Return the jobs that run, the oldest first."""
        return await self.getJobs(["active"], start, end, True)

    async def getCompleted(self, start: int = 0, end: int = -1) -> list[Job]:
        """Return the jobs that completed, the newest first."""
        return await self.getJobs(["completed"], start, end)

    async def getDelayed(self, start: int = 0, end: int = -1) -> list[Job]:
        """Return the delayed jobs, the next first."""
        return await self.getJobs(["delayed"], start, end, True)

    async def getFailed(self, start: int = 0, end: int = -1) -> list[Job]:
        """Return the jobs that failed for good, the newest first."""
        return await self.getJobs(["failed"], start, end)

    async def getPrioritized(self, start: int = 0, end: int = -1) -> list[Job]:
        """Return the jobs that wait with a priority, the most urgent first."""
        return await self.getJobs(["prioritized"], start, end, True)

    async def getWaiting(self, start: int = 0, end: int = -1) -> list[Job]:
        """Return the jobs that wait, the next first."""
        return await self.getJobs(["waiting"], start, end, True)

    async def getWaitingChildren(self, start: int = 0, end: int = -1) -> list[Job]:
        """Return the jobs that wait for their children."""
        return await self.getJobs(["waiting-children"], start, end, True)

    async def getCompletedCount(self) -> int:
        """Return how many jobs completed."""
        return await self.getJobCountByTypes("completed")

    async def getDelayedCount(self) -> int:
        """Return how many jobs are delayed."""
        return await self.getJobCountByTypes("delayed")

    async def getFailedCount(self) -> int:
        """Return how many jobs failed for good."""
        return await self.getJobCountByTypes("failed")

    async def getWaitingCount(self) -> int:
        """Return how many jobs wait without a priority."""
        return await self.getJobCountByTypes("waiting")

    async def isPaused(self) -> bool:
        """Return whether the queue is paused."""
        return await self.engine_queue.is_paused()

    async def getDeduplicationJobId(self, id: str) -> str | None:  # noqa: A002
        """Return the id of the job that holds a deduplication id, or None."""
        return await self.engine_queue.deduplication_owner(id)

    async def getRateLimitTtl(self) -> int:
        """Return for how many milliseconds no job starts because of a rate; -2 when jobs start."""
        return await self.engine_queue.rate_limit_left_ms(1) or NO_KEY

    async def getGlobalConcurrency(self) -> int | None:
        """Return how many jobs run at a time over all workers, or None for no bound."""
        return (await self.engine_queue.settings()).concurrency

    async def getGlobalRateLimit(self) -> dict[str, int] | None:
        """Return the rate over all workers, ``{"max": n, "duration": ms}``, or None for no bound."""
        rate = (await self.engine_queue.settings()).rate
        return None if rate is None else {"max": rate.max, "duration": rate.duration_ms}

    async def get_workers(self) -> list[dict[str, str]]:
        """Return the workers that are connected, Node's and ours alike."""
        return [
            {"name": self.name, "rawname": each.name, "id": str(each.connection), "addr": each.address}
            for each in await self.engine_queue.workers()
        ]

    async def get_workers_count(self) -> int:
        """Return how many workers are connected."""
        return len(await self.get_workers())


NO_KEY = -2
"""What the server says of the time that a key has which is not there."""


async def _records(
    queue: EngineQueue, state: str, start: int, end: int, *, newest_first: bool
) -> AsyncIterator[StoredRecord]:
    """Yield the records of one state from one place to another, a page at a time."""
    if start < 0 or end < -1:
        count = await queue.count(state)
        start, end = max(start + count, 0) if start < 0 else start, end + count if end < -1 else end
    while end == -1 or start <= end:
        size = _PAGE if end == -1 else min(_PAGE, end - start + 1)
        page = await reading.read_page(queue._keyspace, [state], start, size, newest_first=newest_first)
        for record in page:
            yield record
        if len(page) < size:
            return
        start += size

"""A queue: adds jobs, looks at them, administers them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from stockyard.compat.bullmq.custom_errors import as_port
from stockyard.compat.bullmq.job import Job
from stockyard.compat.bullmq.job_scheduler import JobScheduler
from stockyard.compat.bullmq.json_values import plain
from stockyard.compat.bullmq.options import job_options, milliseconds
from stockyard.compat.bullmq.queue_reads import QueueReads
from stockyard.errors import JobLocked, JobNotFound, PayloadError, QueueStateError
from stockyard.model.options import JobOptions
from stockyard.produce.queue import CheckedJob
from stockyard.produce.queue import Queue as EngineQueue
from stockyard.topology import Rate


class Queue(QueueReads):
    """Adds jobs to a queue, reads them, and administers the queue.

    Args:
        name: its name.
        opts: ``connection`` (a URL, keyword arguments of redis-py, or one of its clients), ``prefix``,
            ``defaultJobOptions``. It connects at the first call.
    """

    def __init__(self, name: str, opts: Mapping[str, Any] | None = None) -> None:
        super().__init__(name, opts)
        self.jobsOpts: dict[str, Any] = dict(self.opts.get("defaultJobOptions") or {})

    async def add(self, name: str, data: Any, opts: Mapping[str, Any] | None = None) -> Job:
        """Add a job.

        Args:
            name: of the job.
            data: its payload, any JSON.
            opts: its options, laid over ``defaultJobOptions``.

        Returns:
            The job. Its id is that of the job that is there, if it was deduplicated or its id is taken.

        Raises:
            TypeError: the payload has no JSON form, or the parent is missing.
            ValueError: the payload holds NaN, or an option is out of its range.
        """
        (job,) = await self.addBulk([{"name": name, "data": data, "opts": opts}])
        return job

    async def addBulk(self, jobs: Iterable[Mapping[str, Any]]) -> list[Job]:
        """Add jobs, each as ``{"name": …, "data": …, "opts": …}``; raises the errors of ``add``."""
        queue, made, checked = self.engine_queue, [], []
        await queue._keyspace.learn_time()
        for each in jobs:
            own = each.get("opts")
            job = Job(
                self, str(each.get("name")), each.get("data"), {**self.jobsOpts, **own} if own else self.jobsOpts
            )
            options = job_options(_given(job.opts), self.prefix) if own else self._default_options
            made.append(job)
            checked.append(_checked(queue, job, options))
        with as_port(None, "addJob", parent_key=next((job.parentKey for job in made if job.parentKey), None)):
            if len(checked) == 1:
                # Without a task of its own, as ``stockyard.Queue.add`` does it: adding is a hot path.
                answer = await queue._adder_for(None).add(checked[0][-1])
                ids = [answer if isinstance(answer, str) else answer.job_id]
            else:
                ids = [added.id for added in await queue._add_checked(checked, None)]
        for job, job_id in zip(made, ids, strict=True):
            job.id = job_id
        return made

    @cached_property
    def _default_options(self) -> JobOptions:
        return job_options(_given(self.jobsOpts), self.prefix)

    async def pause(self) -> None:
        """Let no job start, on any worker, until ``resume``."""
        await self.engine_queue.pause()

    async def resume(self) -> None:
        """Let jobs start again."""
        await self.engine_queue.resume()

    async def drain(self, delayed: bool = False) -> None:
        """Remove the jobs that wait, and with ``delayed`` the delayed ones."""
        await self.engine_queue.drain(delayed=delayed)

    async def clean(self, grace: float, limit: int, type: str) -> list[str]:  # noqa: A002
        """Remove jobs of a type that are there for ``grace`` milliseconds, ``limit`` at most; return their ids."""
        state = "waiting" if type in ("wait", "paused") else type
        return await self.engine_queue.clean(state, older_than=milliseconds(grace), limit=limit)

    async def obliterate(self, force: bool = False) -> None:
        """Remove the queue with everything of it; it is paused first.

        Raises:
            RuntimeError: jobs run, and ``force`` is False.
        """
        try:
            await self.engine_queue.obliterate(force=force)
        except QueueStateError as error:
            raise RuntimeError(f"Cannot obliterate queue with active jobs: {error}") from error

    async def retryJobs(self, opts: Mapping[str, Any] | None = None) -> None:
        """Put ended jobs back to wait: ``{"state": "failed", "timestamp": ms}``; all that had ended by then."""
        given = opts or {}
        moment = given.get("timestamp")
        before = None if moment is None else datetime.fromtimestamp(moment / 1000, UTC)
        await self.engine_queue.retry_all(given.get("state") or "failed", before=before)

    async def promoteJobs(self, opts: Mapping[str, Any] | None = None) -> None:
        """Let the delayed jobs run now."""
        await self.engine_queue.promote_all()

    async def remove(self, job_id: str, opts: Mapping[str, Any] | None = None) -> int:
        """Remove a job; return 0 if a worker runs it, or one below it, else 1."""
        try:
            await self.engine_queue.remove(job_id, children=(opts or {}).get("removeChildren", True))
        except JobLocked:
            return 0
        except JobNotFound:
            return 1
        return 1

    async def trimEvents(self, maxLength: int) -> int:
        """Cut the event stream to about so many entries; return how many went."""
        return await self.engine_queue.trim_events(maxLength)

    async def rateLimit(self, expire_time_ms: float) -> None:
        """Let no job start for so long."""
        await self.engine_queue.rate_limit(milliseconds(expire_time_ms))

    async def removeRateLimitKey(self) -> int:
        """Begin a new window of the rate; return 1 if one was there, else 0."""
        return int(await self.engine_queue.clear_rate_limit())

    async def setGlobalConcurrency(self, concurrency: int) -> None:
        """Bound how many jobs run at a time over all workers."""
        await self.engine_queue.set_concurrency(concurrency)

    async def removeGlobalConcurrency(self) -> int:
        """Take that bound off; return how many settings went."""
        return int(await self.engine_queue.set_concurrency(None))

    async def setGlobalRateLimit(self, max_jobs: int, duration_ms: int) -> None:
        """Bound how many jobs start in a time over all workers."""
        await self.engine_queue.set_rate(Rate(max_jobs, duration_ms))

    async def removeGlobalRateLimit(self) -> int:
        """Take that bound off; return how many settings went."""
        return 2 if await self.engine_queue.set_rate(None) else 0

    @cached_property
    def jobScheduler(self) -> JobScheduler:
        """The job schedulers of the queue."""
        return JobScheduler(self)

    async def upsertJobScheduler(
        self,
        job_scheduler_id: str,
        repeat_opts: Mapping[str, Any],
        job_name: str | None = None,
        job_data: Any = None,
        opts: Mapping[str, Any] | None = None,
        override: bool = True,
        producer_id: str | None = None,
    ) -> Job | None:
        """Make a job scheduler, or change it; see ``JobScheduler.upsertJobScheduler``."""
        return await self.jobScheduler.upsertJobScheduler(
            job_scheduler_id, repeat_opts, job_name, job_data, opts, override, producer_id
        )

    async def removeJobScheduler(self, job_scheduler_id: str) -> int:
        """End a job scheduler; return 0, or 1 where there is none of that id."""
        return await self.jobScheduler.removeJobScheduler(job_scheduler_id)

    async def isJobScheduler(self, job_scheduler_id: str) -> bool:
        """Return whether there is a job scheduler of that id."""
        return await self.jobScheduler.isJobScheduler(job_scheduler_id)

    async def getJobScheduler(self, job_scheduler_id: str) -> dict[str, Any] | None:
        """Return a job scheduler as a dict, or None; see ``JobScheduler.getScheduler``."""
        return await self.jobScheduler.getScheduler(job_scheduler_id)

    async def getJobSchedulers(self, start: int = 0, end: int = -1, asc: bool = False) -> list[dict[str, Any]]:
        """Return the job schedulers from one place to another; see ``JobScheduler.getJobSchedulers``."""
        return await self.jobScheduler.getJobSchedulers(start, end, asc)

    async def getJobSchedulersCount(self) -> int:
        """Return how many job schedulers there are."""
        return await self.jobScheduler.getSchedulersCount()

    async def close(self) -> None:
        """Close the connections, unless other objects use them; closing twice is fine."""
        await self._share.close()


def _given(opts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options without those that are None."""
    return {name: value for name, value in opts.items() if value is not None}


def _checked(queue: EngineQueue, job: Job, options: JobOptions) -> CheckedJob:
    """Return a job as it is sent; a payload that JSON changes is sent as JSON has it."""
    try:
        sent = queue._checked(job.name, job.data, options, False)
    except PayloadError:
        sent = queue._checked(job.name, plain(job.data), options, False)
    job.timestamp = sent.timestamp
    return job.name, job.data, options, sent

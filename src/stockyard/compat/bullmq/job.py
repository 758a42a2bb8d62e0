"""A job as the port's programs see it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from stockyard.compat.bullmq.custom_errors import as_port
from stockyard.compat.bullmq.failure import failure_of
from stockyard.compat.bullmq.json_values import plain, result_of
from stockyard.compat.bullmq.options import milliseconds, opts_of
from stockyard.errors import JobNotFound
from stockyard.model.job import Job as EngineJob
from stockyard.model.job import JobPort
from stockyard.model.options import JobOptions

if TYPE_CHECKING:
    from stockyard.manual import TakenJob
    from stockyard.produce.queue import Queue as EngineQueue


class Owner(Protocol):
    """What a job belongs to: a queue, or the worker that runs it."""

    @property
    def name(self) -> str:
        """Name of the queue."""

    @property
    def qualifiedName(self) -> str:
        """Its name with the prefix of its keys."""

    @property
    def engine_queue(self) -> EngineQueue:
        """The queue of the engine."""

    async def taken(self, job_id: str, token: str) -> TakenJob:
        """Return a job that was taken by hand under a token, to end it."""


class Job:
    """Holds a job's record as it was added or read, with the methods that act on the job.

    Args:
        queue: the queue that it belongs to.
        name: its name.
        data: its payload.
        opts: its options.
        job_id: its id.

    Attributes:
        id, name, data, opts, timestamp, delay, priority, progress: what was added, and reported since.
        attempts: how often it may be tried.
        attemptsMade, attemptsStarted, stalledCounter: attempts that ended, that began, that lost their worker.
        processedOn, finishedOn: ms since the epoch, 0 before that.
        returnvalue, failedReason, stacktrace: how it ended, or how its attempts failed.
        parent, parentKey: the parent that waits for it, or None.
        repeatJobKey: the scheduler that made it, or None.
        token: what its processor was called with, or None.
        queue, queueQualifiedName: where it is.
        deduplication_id: id of its deduplication, or None.
    """

    def __init__(
        self,
        queue: Owner,
        name: str,
        data: Any,
        opts: Mapping[str, Any] | None = None,
        job_id: str | None = None,
    ) -> None:
        given = opts or {}
        backoff = given.get("backoff")
        self.queue = queue
        self.id: str | None = given.get("jobId") or job_id
        self.name = name
        self.data = data
        self._opts: dict[str, Any] | None = {
            "attempts": 0,
            "delay": 0,
            **given,
            "backoff": {"type": "fixed", "delay": backoff} if type(backoff) is int else backoff or None,
        }
        self.timestamp: int = given.get("timestamp") or round(time.time() * 1000)
        self.delay: int = given.get("delay", 0)
        self.priority: int = given.get("priority", 0)
        self.attempts: int = given.get("attempts", 1)
        parent = given.get("parent")
        self.parentKey: str | None = f"{parent.get('queue')}:{parent.get('id')}" if parent else None
        self.parent: dict[str, Any] | None = (
            {"id": parent.get("id"), "queueKey": parent.get("queue")} if parent else None
        )
        self._set_counters()

    def _set_counters(self) -> None:
        self.progress: Any = 0
        self.attemptsMade = self.attemptsStarted = self.stalledCounter = 0
        self.processedOn: int | None = 0
        self.finishedOn: int | None = 0
        self.returnvalue: Any = None
        self.failedReason: str | None = None
        self.deferredFailure: str | None = None
        self.stacktrace: list[str] = []
        self.token: str | None = None
        self.discarded = False
        self._read_options: JobOptions | None = None
        self._delay_ms = 0
        self._is_manual = False

    @classmethod
    def of(cls, queue: Owner, job: EngineJob[Any], token: str | None = None) -> Job:
        """Return a job of the engine as one of the port."""
        made = cls.__new__(cls)
        made._opts = None
        made._set_counters()
        made._read_options = job.options
        made.queue = queue
        made.token = token
        made.read(job)
        return made

    def read(self, job: EngineJob[Any]) -> None:
        """Take over what the engine has read or changed."""
        self.id = job.id
        self.name = job.name
        self.data = job.data
        self.timestamp = job.timestamp
        self.delay = job.delay_ms
        self.priority = job.priority
        self.attempts = job.options.attempts
        self.attemptsMade = job.attempts_made
        self.attemptsStarted = job.attempts_started
        self.stalledCounter = job.stalled_count
        self.progress = 0 if job.progress is None else job.progress
        self.processedOn = job.processed_on or 0
        self.finishedOn = job.finished_on or 0
        self.returnvalue = job.return_value
        self.failedReason = job.failed_reason
        self.stacktrace = list(job.stacktrace)
        self.parentKey = job.parent_key
        parent = job.parent_key and job.parent_key.rpartition(":")
        self.parent = {"id": parent[2], "queueKey": parent[0]} if parent else None

    @property
    def opts(self) -> dict[str, Any]:
        """Its options, by the port's names."""
        if self._opts is None:
            self._opts = opts_of(self._read_options or JobOptions())
            if self.repeatJobKey is not None:
                self._opts["repeatJobKey"] = self.repeatJobKey
        return self._opts

    @property
    def removeOnComplete(self) -> Any:
        """What becomes of its record when it completed."""
        return self.opts.get("removeOnComplete", True)

    @property
    def removeOnFail(self) -> Any:
        """What becomes of its record when it failed."""
        return self.opts.get("removeOnFail", False)

    @property
    def deduplication_id(self) -> str | None:
        """The id of its deduplication, or None."""
        deduplication = self.opts.get("deduplication")
        return deduplication.get("id") if isinstance(deduplication, dict) else None

    @property
    def queueQualifiedName(self) -> str:
        """Name of its queue with the prefix of the keys, as the option ``parent`` of a child takes it."""
        return self.queue.qualifiedName

    @property
    def repeatJobKey(self) -> str | None:
        """The scheduler whose run it is, or None."""
        kind, _, rest = (self.id or "").partition(":")
        return rest.rpartition(":")[0] or None if kind == "repeat" else None

    @property
    def _port(self) -> JobPort:
        return self.queue.engine_queue._jobs

    async def updateData(self, data: Any) -> None:
        """Replace the payload.

        Raises:
            ValueError: it is not JSON.
            TypeError: it has no JSON form; or the job was removed.
        """
        self.data = data
        with as_port(self.id, "updateData"):
            await self._port.update_data(str(self.id), plain(data))

    async def updateProgress(self, progress: Any) -> None:
        """Store progress, and announce it.

        Raises:
            TypeError: the job was removed.
        """
        self.progress = progress
        with as_port(self.id, "updateProgress"):
            await self._port.update_progress(str(self.id), plain(progress))

    async def log(self, logRow: str) -> int:
        """Append a line to its log; return how many lines it has."""
        return await Job.addJobLog(self.queue, str(self.id), logRow, self.opts.get("keepLogs") or 0)

    async def promote(self) -> None:
        """Let a delayed job run now.

        Raises:
            TypeError: the job is not delayed, or was removed.
        """
        with as_port(self.id, "promote", "delayed"):
            await self._port.promote(str(self.id))
        self.delay = 0

    async def retry(self, state: str = "failed", opts: Mapping[str, Any] | None = None) -> None:
        """Put the job back to wait, if it ended in this state.

        Args:
            state: ``"failed"`` or ``"completed"``.
            opts: ``resetAttemptsMade`` and ``resetAttemptsStarted``; the engine resets both together.

        Raises:
            TypeError: the job is in another state, or was removed.
        """
        given = opts or {}
        resets = bool(given.get("resetAttemptsMade") or given.get("resetAttemptsStarted"))
        with as_port(self.id, "reprocessJob", state):
            await self._port.retry(str(self.id), state=state, reset_attempts=resets)
        self.failedReason = self.finishedOn = self.processedOn = self.returnvalue = None
        if resets:
            self.attemptsMade = self.attemptsStarted = 0

    async def changePriority(self, opts: Mapping[str, Any]) -> None:
        """Give the job another priority: ``{"priority": n, "lifo": False}``.

        Raises:
            TypeError: the job was removed.
        """
        priority = opts.get("priority", 0)
        with as_port(self.id, "changePriority"):
            await self._port.change_priority(str(self.id), priority, lifo=bool(opts.get("lifo")))
        self.priority = priority

    async def remove(self, opts: Mapping[str, Any] | None = None) -> None:
        """Remove the job, if it is there; with all below it, unless ``removeChildren`` is False.

        Raises:
            RuntimeError: a worker runs it, or one below it.
        """
        with as_port(self.id, "removeJob"), suppress(JobNotFound):
            await self._port.remove(str(self.id), children=(opts or {}).get("removeChildren", True))

    async def getState(self) -> str:
        """Return where the job is, or ``"unknown"``."""
        return str(await self._port.state(str(self.id)))

    async def isCompleted(self) -> bool:
        """Return whether it completed."""
        return await self.getState() == "completed"

    async def isFailed(self) -> bool:
        """Return whether it failed for good."""
        return await self.getState() == "failed"

    async def isDelayed(self) -> bool:
        """Return whether it is delayed."""
        return await self.getState() == "delayed"

    async def isActive(self) -> bool:
        """Return whether it runs."""
        return await self.getState() == "active"

    async def isWaiting(self) -> bool:
        """Return whether it waits for a worker, without a priority."""
        return await self.getState() == "waiting"

    async def isWaitingChildren(self) -> bool:
        """Return whether it waits for its children."""
        return await self.getState() == "waiting-children"

    async def getChildrenValues(self) -> dict[str, Any]:
        """Return the results of its children by their keys."""
        return await self._port.children_values(str(self.id))

    async def moveToCompleted(self, return_value: Any, token: str, fetchNext: bool = False) -> None:
        """End a job that was taken by hand: it has completed.

        Args:
            return_value: its result, any JSON.
            token: what it was taken with.
            fetchNext: has no effect: take the next job by ``Worker.getNextJob``.

        Raises:
            TypeError: the lock ran out or is another's, the job was removed, or the result has no JSON form.
        """
        with as_port(self.id, "moveToFinished", "active"):
            taken = await self.queue.taken(str(self.id), token)
            await taken.complete(result_of(return_value))
        self.read(taken.job)
        self.returnvalue = return_value

    async def moveToFailed(self, err: BaseException, token: str, fetchNext: bool = False) -> None:
        """End a job that was taken by hand: it is retried, or has failed.

        Args:
            err: what went wrong.
            token: what it was taken with.
            fetchNext: has no effect: take the next job by ``Worker.getNextJob``.

        Raises:
            TypeError: the lock ran out or is another's, or the job was removed.
        """
        with as_port(self.id, "moveToFinished", "active"):
            taken = await self.queue.taken(str(self.id), token)
            await taken.fail(failure_of(err, self))
        self.read(taken.job)

    async def moveToDelayed(self, timestamp: float, token: str | None = None) -> None:
        """In its processor: run again at that time, in ms since the epoch. Raise ``DelayedError`` after it.

        Of a job that was taken by hand, the run ends here.
        """
        self.delay = self._delay_ms = max(round(timestamp - time.time() * 1000), 0)
        if self._is_manual:
            with as_port(self.id, "moveToDelayed", "active"):
                taken = await self.queue.taken(str(self.id), str(token))
                await taken.delay(milliseconds(self._delay_ms))

    async def moveToWaitingChildren(self, token: str | None = None, opts: Mapping[str, Any] | None = None) -> bool:
        """In its processor: say whether children have still to end. Raise ``WaitingChildrenError`` if so.

        Of a job that was taken by hand, the run ends here if it is so.
        """
        if self._is_manual:
            with as_port(self.id, "moveToWaitingChildren", "active"):
                taken = await self.queue.taken(str(self.id), str(token))
                return await taken.wait_for_children()
        return await self._port.is_held_by_children(str(self.id))

    @staticmethod
    async def fromId(queue: Owner, jobId: str) -> Job | None:
        """Read a job, or return None when there is none of that id."""
        found = await queue.engine_queue.get_job(jobId)
        return None if found is None else Job.of(queue, found)

    @staticmethod
    async def addJobLog(queue: Owner, jobId: str, logRow: str, keepLogs: int = 0) -> int:
        """Append a line to a job's log, and drop all but the last ``keepLogs``; return how many lines it has."""
        jobs = queue.engine_queue._jobs
        with as_port(jobId, "addLog"):
            count = await jobs.log(jobId, str(logRow))
        if keepLogs and count > keepLogs:
            await jobs.clear_logs(jobId, keepLogs)
        return min(count, keepLogs) if keepLogs else count

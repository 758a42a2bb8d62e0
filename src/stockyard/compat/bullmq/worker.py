"""Works on a queue: runs a processor for each of its jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from uuid import uuid4

from stockyard.compat.bullmq.job import Job
from stockyard.compat.bullmq.job_scheduler import JobScheduler
from stockyard.compat.bullmq.lock_manager import LockManager
from stockyard.compat.bullmq.options import keep_of, milliseconds
from stockyard.compat.bullmq.processing import AnyStrategy, Processing
from stockyard.compat.bullmq.queue_object import QueueObject
from stockyard.consume.hooks import Hooks
from stockyard.consume.options import WorkerOptions
from stockyard.consume.worker import Worker as EngineWorker
from stockyard.manual import ManualOptions, ManualWorker
from stockyard.model.job import Job as EngineJob
from stockyard.topology import Rate

_DEFAULTS: dict[str, Any] = {
    "drainDelay": 5,
    "concurrency": 1,
    "lockDuration": 30_000,
    "maxStalledCount": 1,
}
_AS_LONG_AS_IT_TAKES = 10**8
"""Seconds that running jobs have to end when the worker is closed."""


class Worker(QueueObject):
    """Takes the jobs of a queue and runs a processor for each.

    Args:
        name: the queue.
        processor: ``async def process(job, token)``, or with an ``AbortSignal`` as its third argument; its result
            is stored. None is for jobs that are taken by hand.
        opts: ``connection``, ``prefix``, ``name``, ``autorun``, ``concurrency``, ``lockDuration``,
            ``stalledInterval``, ``maxStalledCount``, ``drainDelay``, ``limiter``, ``removeOnComplete``,
            ``removeOnFail``, ``settings``, ``metrics``. Times are in milliseconds, that of ``drainDelay`` in
            seconds. With ``autorun``, the default, it begins at once, and needs a running event loop.

    Events: ``active`` (job, previous state), ``completed`` (job, result), ``failed`` (job, error) at each failed
    attempt, ``stalled`` (job id), ``locksRenewed`` (count and ids), ``lockRenewalFailed`` (ids), ``error``
    (error), ``paused``, ``resumed``, ``closed``.
    """

    def __init__(
        self, name: str, processor: Callable[..., Any] | None, opts: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(name, {**_DEFAULTS, **(opts or {})})
        self.processor = processor
        self.workerName: str | None = self.opts.get("name")
        self.id: str = uuid4().hex
        self.running = self.paused = self.closing = self.forceClosing = self.closed = False
        self._processing = None if processor is None else Processing(self, processor)
        self._engine: EngineWorker | None = None
        self._was_empty = False
        self._task: asyncio.Task[None] | None = None
        if processor is not None and self.opts.get("autorun", True):
            self._task = asyncio.ensure_future(self._autorun())

    @cached_property
    def jobScheduler(self) -> JobScheduler:
        """The job schedulers of the queue."""
        return JobScheduler(self)

    async def _autorun(self) -> None:
        try:
            await self.run()
        except Exception as error:
            self.emit("error", error)

    async def run(self) -> None:
        """Work until the worker is closed.

        Raises:
            RuntimeError: it runs already, or has no processor.
        """
        if self.running:
            raise RuntimeError("Worker is already running")
        if self._processing is None:
            raise RuntimeError("Worker has no processor")
        if self.closing:
            return
        self.running = True
        try:
            hooks = Hooks(
                completed=self._processing.completed,
                failed=self._processing.failed,
                retried=self._processing.retried,
                stalled=lambda job_id: self.emit("stalled", job_id),
                error=lambda error: self.emit("error", error),
                lease_lost=self._lock_lost,
                leases_renewed=self._locks_renewed,
            )
            options: WorkerOptions = {**worker_options(self.opts), "hooks": hooks}
            self._engine = self._share.app.worker(self.name, self._processing.run, **options)
            if self.paused:
                await self._engine.pause(wait=False)
            await self._engine.run()
        finally:
            self.running = False

    def _lock_lost(self, job: EngineJob[Any]) -> None:
        self.emit("lockRenewalFailed", [job.id])
        self.emit("error", RuntimeError(f"could not renew lock for job {job.id}"))

    def _locks_renewed(self, job_ids: list[str]) -> None:
        self.emit("locksRenewed", {"count": len(job_ids), "jobIds": job_ids})

    async def close(self, force: bool = False) -> None:
        """Take no more jobs, wait for those that run, and close the connections; closing twice is fine.

        Args:
            force: break off the jobs that run instead. They stay active until their locks have run out, and are
                recovered by another worker then.
        """
        self.closing, self.paused = True, False
        if self._engine is not None:
            if force:
                self.forceClosing = True
                self.cancelAllJobs("worker force-closed")
                for shard in self._engine._shards.all:
                    shard.active.abandon_all()
            await self._engine.stop(grace=0 if force else _AS_LONG_AS_IT_TAKES)
        if self._task is not None and self._task is not asyncio.current_task():
            await self._task
        await self._share.close()
        if not self.closed:
            self.closed = True
            self.emit("closed")

    async def pause(self, do_not_wait_active: bool = False) -> None:
        """Take no more jobs, and wait for those that run, until ``resume``; other workers go on.

        Args:
            do_not_wait_active: return at once, without waiting for the jobs that run. Defaults to False.
        """
        self.paused = True
        if self._engine is not None:
            await self._engine.pause(wait=not do_not_wait_active)
        self.emit("paused")

    def resume(self) -> None:
        """Take jobs again."""
        if self.paused:
            self.paused = False
            if self._engine is not None:
                self._engine.resume()
            self.emit("resumed")

    @cached_property
    def manual_worker(self) -> ManualWorker:
        """What takes and ends jobs by hand: ``stockyard.manual.ManualWorker``, with the options of the worker."""
        options = worker_options(self.opts)
        of_jobs: ManualOptions = {  # type: ignore[assignment]  # their keys are the same
            name: value for name, value in options.items() if name in ManualOptions.__annotations__
        }
        return self._share.app.manual_worker(self.name, **of_jobs)

    async def getNextJob(self, token: str) -> Job | None:
        """Take a job by hand, and return it, or None; end it by ``moveToCompleted`` or ``moveToFailed``.

        Once there was none, it waits for one, ``drainDelay`` at most. Its lock is not renewed.

        Args:
            token: of its lock; your own text.
        """
        wait = self.opts["drainDelay"] if self._was_empty else 0
        taken = await self.manual_worker.take(token, wait=wait)
        self._was_empty = taken is None
        if taken is None:
            return None
        job = Job.of(self, taken.job, token)
        job._is_manual = True
        self.emit("active", job, "waiting")
        return job

    async def runStalledJobsCheck(self) -> None:
        """Hand back the jobs of dead workers now; for a program that takes jobs by hand alone."""
        for job_id in await self.manual_worker.recover_stalled():
            self.emit("stalled", job_id)

    @cached_property
    def lockManager(self) -> LockManager:
        """What shows the jobs that run here."""
        return LockManager(self)

    def active_ids(self) -> list[str]:
        """Return the ids of the jobs that run here."""
        return (
            []
            if self._engine is None
            else [job_id for shard in self._engine._shards.all for job_id in shard.active.job_ids()]
        )

    def cancelJob(self, job_id: str, reason: str | None = None) -> bool:
        """Set the ``AbortSignal`` of a running job; say whether it runs here, and its processor takes one."""
        return self._processing is not None and self._processing.cancel(job_id, reason)

    def cancelAllJobs(self, reason: str | None = None) -> None:
        """Set the ``AbortSignal`` of every job that runs here."""
        if self._processing is not None:
            self._processing.cancel_all(reason)


def worker_options(opts: Mapping[str, Any]) -> WorkerOptions:
    """Return the engine's options of a worker; those that it does not know are left out."""
    limiter, strategy = opts.get("limiter"), (opts.get("settings") or {}).get("backoffStrategy")
    options: WorkerOptions = {
        "name": opts.get("name"),
        "concurrency": opts["concurrency"],
        "lock": milliseconds(opts["lockDuration"]),
        "stalled_interval": milliseconds(opts["stalledInterval"]) if opts.get("stalledInterval") else None,
        "max_stalled": opts["maxStalledCount"],
        "drain_delay": opts["drainDelay"],
        "rate": None if limiter is None else Rate(limiter["max"], limiter["duration"]),
        "metrics_minutes": (opts.get("metrics") or {}).get("maxDataPoints"),
    }
    if opts.get("removeOnComplete") is not None:
        options["remove_on_complete"] = keep_of(opts["removeOnComplete"])
    if opts.get("removeOnFail") is not None:
        options["remove_on_fail"] = keep_of(opts["removeOnFail"])
    if strategy is not None:
        options["backoff_strategies"] = AnyStrategy(strategy)
    return options

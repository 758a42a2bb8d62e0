"""Runs a handler where it belongs: in the loop, in a thread, or in a child process."""

from __future__ import annotations

from typing import Any

from stockyard.consume.executors.process import ChildTask, ProcessPool
from stockyard.consume.executors.threads import ThreadPool
from stockyard.model.handler import Handler, reference
from stockyard.model.job import Job, JobPort


class Execution:
    """The threads and child processes of one worker, made when first needed.

    Args:
        name: of the worker's queue, for thread names.
        size: jobs at a time.
        jobs: does what handlers in child processes ask of their jobs.
        recycle_after: jobs after which a child process is replaced.
        memory_limit: bytes of resident memory of a child process, or None.
    """

    def __init__(
        self, name: str, *, size: int, jobs: JobPort, recycle_after: int | None, memory_limit: int | None
    ) -> None:
        self._name = name
        self._size = size
        self._jobs = jobs
        self._recycle_after = recycle_after
        self._memory_limit = memory_limit
        self._threads: ThreadPool | None = None
        self._processes: ProcessPool | None = None

    async def warm(self, handlers: list[Handler]) -> None:
        """Start child processes if one of the handlers needs them."""
        if self._processes is None and any(handler.executor == "process" for handler in handlers):
            pool = ProcessPool(size=self._size, recycle_after=self._recycle_after, memory_limit=self._memory_limit)
            await pool.start()
            self._processes = pool

    async def run(self, job: Job[Any], handler: Handler) -> Any:
        """Run the handler on the job and return its result; JSON text if it ran in a child process."""
        if handler.executor == "process":
            return await self._in_process(job, handler)
        job.data = handler.decode(job.data)
        if handler.executor == "async":
            return await handler.function(handler.argument(job))
        if self._threads is None:
            self._threads = ThreadPool(size=self._size, name=f"stockyard-{self._name}")
        return await self._threads.run(handler.function, handler.argument(job))

    async def stop(self) -> None:
        """End the child processes, and let the threads end; stopping twice is fine."""
        if self._threads is not None:
            self._threads.close()
            self._threads = None
        processes, self._processes = self._processes, None
        if processes is not None:
            await processes.aclose()

    async def _in_process(self, job: Job[Any], handler: Handler) -> bytes:
        assert self._processes is not None
        limit = job.options.timeout_ms
        task = ChildTask.of(job, handler=reference(handler.function), data=job.data)
        return await self._processes.run(task, port=self._jobs, timeout=None if limit is None else limit / 1000)

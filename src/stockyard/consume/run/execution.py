"""Runs a handler where it belongs: in the loop, in a thread, or in a child process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from stockyard import telemetry
from stockyard._logging import about, about_job
from stockyard.consume.executors.results import ChildResult, awaited, is_awaitable
from stockyard.consume.executors.threads import AbandonedThread, ThreadPool
from stockyard.consume.executors.timeouts import timed_out
from stockyard.consume.run.batches import Batches
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.model.handler import Handler, reference
from stockyard.model.job import Job, JobPort, set_fields

if TYPE_CHECKING:
    from stockyard.consume.executors.process import ProcessPool

_log = logging.getLogger(__name__)


class Execution:
    """The threads and child processes of one worker, made when first needed.

    Args:
        name: of the worker's queue, for thread names.
        size: jobs at a time.
        recycle_after: jobs after which a child process is replaced.
        memory_limit: bytes of resident memory of a child process, or None.
        metrics: counts abandoned threads.
        on_room: called in the loop when an abandoned thread has returned and a place is free again.
    """

    def __init__(
        self,
        name: str,
        *,
        size: int,
        recycle_after: int | None,
        memory_limit: int | None,
        metrics: WorkerMetrics,
        on_room: Callable[[], None],
    ) -> None:
        self._name = name
        self._size = size
        self._recycle_after = recycle_after
        self._memory_limit = memory_limit
        self._metrics = metrics
        self._on_room = on_room
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hung: dict[int, tuple[str, dict[str, Any]]] = {}
        self._threads: ThreadPool | None = None
        self._processes: ProcessPool | None = None
        self._batches: Batches | None = None
        self._takes_ahead = False

    @property
    def lost(self) -> int:
        """How many jobs fewer may run at a time, because abandoned threads hang."""
        return 0 if self._threads is None else self._threads.lost

    @property
    def ahead(self) -> int:
        """How many jobs more may be in hand, so that child processes begin the next as soon as they end one."""
        return self._processes.ahead if self._takes_ahead and self._processes is not None else 0

    async def warm(self, handlers: list[Handler], *, takes_ahead: bool = False) -> None:
        """Start child processes if one of the handlers needs them, and make ready for handlers of batches.

        Args:
            handlers: all that may run.
            takes_ahead: jobs may wait for a child in this process, where all handlers run in one.
        """
        self._takes_ahead = takes_ahead and all(handler.executor == "process" for handler in handlers)
        if self._processes is None and any(handler.executor == "process" for handler in handlers):
            from stockyard.consume.executors.process import ProcessPool

            pool = ProcessPool(size=self._size, recycle_after=self._recycle_after, memory_limit=self._memory_limit)
            await pool.start()
            self._processes = pool
        if self._batches is None and any(handler.batch for handler in handlers):
            self._batches = Batches(size=self._size, call=self._call_batch, metrics=self._metrics)

    def resize(self, size: int) -> None:
        """Let so many handlers run in threads, or in child processes, at a time."""
        self._size = size
        if self._threads is not None:
            self._threads.resize(size)
        if self._processes is not None:
            self._processes.resize(size)
        if self._batches is not None:
            self._batches.resize(size)

    def hurry(self) -> None:
        """Let no batch wait for more jobs from now on."""
        if self._batches is not None:
            self._batches.hurry()

    def begin_batches(self) -> None:
        """Let the batches that gather wait for no more jobs."""
        if self._batches is not None:
            self._batches.begin_all()

    def run(self, job: Job[Any], handler: Handler) -> Awaitable[Any]:
        """Run the handler in the loop or in a thread, on a job whose payload is decoded.

        Returns:
            What to await for the result, which may be awaitable, too: without a timeout, what the handler's own
            function returned, as each coroutine between a task and its handler would cost every job.

        Raises:
            JobTimeout: when awaited: the handler ran longer than the job's timeout, counted from when its function
                started.
        """
        limit = job.options.timeout_ms
        if handler.executor != "async":
            return self._in_thread(job, handler, handler.argument(job), limit)
        running: Awaitable[Any] = handler.function(handler.argument(job))
        return running if limit is None else _within(awaited(running), limit / 1000, limit)

    async def run_in_batch(self, job: Job[Any], handler: Handler, *, on_begin: Callable[[], None]) -> Any:
        """Run the handler for this job and others, whose payloads are decoded; return the result of this one.

        Args:
            job, handler: what to run.
            on_begin: called when the handler is called.

        Raises:
            JobTimeout: the handler ran longer than the shortest timeout of its jobs.
            HandlerError: it returned something else than a result for each job.
        """
        assert self._batches is not None
        return await self._batches.run(job, handler, on_begin=on_begin)

    async def run_in_child(
        self,
        job: Job[Any],
        handler: Handler,
        data: bytes,
        *,
        on_data: Callable[[Any], None],
        on_begin: Callable[[], None],
    ) -> ChildResult:
        """Run the handler in a child process, which decodes the payload ``data`` and encodes the result.

        Args:
            job, handler, data: what to run.
            on_data: called with plain values when the handler has replaced the stored payload.
            on_begin: called when a child begins with it.
        """
        from stockyard.consume.executors.frames import ChildTask

        assert self._processes is not None
        limit = job.options.timeout_ms
        tracer = telemetry.tracer
        trace = None if tracer is None else tracer.carrier()
        task = ChildTask.of(job, handler=reference(handler.function), data=data, trace=trace)
        port: Any = _ChildPort(job.port, job, on_data)
        seconds = None if limit is None else limit / 1000
        text = await self._processes.run(task, port=port, timeout=seconds, on_begin=on_begin)
        return ChildResult(text)

    async def stop(self, seconds: float | None = None) -> None:
        """End the child processes, and let the threads end; stopping twice is fine.

        Args:
            seconds: after which idle children are killed. Defaults to the pool's own time.
        """
        if self._threads is not None:
            for thread in self._threads.close():
                named, extra = self._hung.get(id(thread.subject), ("a job", {}))
                _log.warning(
                    "%s still runs in a thread, %.1f s after its start, though its worker has stopped: %s. The "
                    "thread ends with this process. It is here:\n%s",
                    named,
                    thread.seconds,
                    thread.reason,
                    thread.stack,
                    extra=extra,
                )
            self._threads = None
        processes, self._processes = self._processes, None
        if processes is not None:
            await processes.aclose(seconds)

    async def _call_batch(self, handler: Handler, jobs: list[Job[Any]]) -> Any:
        limit = min((job.options.timeout_ms for job in jobs if job.options.timeout_ms is not None), default=None)
        argument = [job.data for job in jobs] if handler.takes_payload else jobs
        if handler.executor != "async":
            return await self._in_thread(jobs[0], handler, argument, limit)
        running = awaited(handler.function(argument))
        return await (running if limit is None else _within(running, limit / 1000, limit))

    async def _in_thread(self, job: Job[Any], handler: Handler, argument: Any, limit: int | None) -> Any:
        threads = self._threads
        if threads is None:
            self._loop = asyncio.get_running_loop()
            threads = self._threads = ThreadPool(
                size=self._size,
                name=f"stockyard-{self._name}",
                on_abandoned=self._abandoned,
                on_returned=self._returned,
            )
        began = time.monotonic()
        result, context = await threads.call(
            handler.function,
            argument,
            timeout=None if limit is None else limit / 1000,
            subject=job,
        )
        if not is_awaitable(result):
            return result
        # A plain function around an `async def`: the rest of it belongs to the loop, and to the same context.
        rest = asyncio.get_running_loop().create_task(awaited(result), context=context)
        if limit is None:
            return await rest
        return await _within(rest, max(began + limit / 1000 - time.monotonic(), 0), limit)

    def _abandoned(self, thread: AbandonedThread) -> None:
        assert self._threads is not None
        job, hung, most = thread.subject, self._threads.hung, self._threads.most_replaced
        named, extra = self._hung[id(job)] = about(job), about_job(job)
        set_fields(job, should_stop=True)
        self._metrics.abandoned += 1
        self._metrics.hung = len(self._hung)
        _log.warning(
            "%s still runs in its thread though its run has ended: %s. A thread cannot be stopped; %s. It is "
            "here:\n%s",
            named,
            thread.reason,
            f"another takes its place ({hung} of at most {most})"
            if hung <= most
            else f"{hung} such threads hang, so this worker runs {hung - most} jobs fewer at a time: "
            "restart its process",
            thread.stack,
            extra=extra,
        )

    def _returned(self, thread: AbandonedThread) -> None:
        loop = self._loop
        named, extra = self._hung.pop(id(thread.subject), ("a job", {}))
        self._metrics.hung = len(self._hung)
        _log.info(
            "%s has left its thread after %.1f s; what it returned or raised is discarded",
            named,
            thread.seconds,
            extra=extra,
        )
        if loop is not None:
            # Each time: several threads may return at once, and none of them sees what the others free.
            try:
                loop.call_soon_threadsafe(self._on_room)
            except RuntimeError:  # the loop is closed: nothing is taken any more
                return


class _ChildPort:
    """What a child process may ask of its job; what it changes is seen on the job in this process, too."""

    def __init__(self, port: JobPort, job: Job[Any], on_data: Callable[[Any], None]) -> None:
        self._port = port
        self._job = job
        self._on_data = on_data

    def __getattr__(self, method: str) -> Any:
        return getattr(self._port, method)

    async def update_data(self, job_id: str, data: Any) -> None:
        await self._port.update_data(job_id, data)
        self._on_data(data)

    async def update_progress(self, job_id: str, value: Any) -> None:
        await self._port.update_progress(job_id, value)
        set_fields(self._job, progress=value)


async def _within(work: Any, seconds: float, limit_ms: int) -> Any:
    try:
        async with asyncio.timeout(seconds) as deadline:
            return await work
    except TimeoutError as error:
        if deadline.expired():
            raise timed_out(limit_ms / 1000) from error
        raise

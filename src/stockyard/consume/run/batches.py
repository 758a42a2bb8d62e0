"""Gathers the jobs of batch handlers, and calls each handler once for many jobs; every job keeps its own run."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple

from stockyard._logging import current_job
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.errors import HandlerError
from stockyard.model.effect_port import EffectRequest, EffectStart
from stockyard.model.handler import Handler
from stockyard.model.job import Job, JobPort, set_field
from stockyard.model.signature import name_of


class Batches:
    """The batches of one worker, those that gather and those that run.

    A job joins from its own run, which goes on when the call has ended, with the result or the exception that the
    handler has for this job. Leases, middleware, hooks, outcomes and retries are those of any job therefore.

    Args:
        size: jobs that the worker runs at a time.
        call: calls a handler with its jobs; returns or raises what the handler does.
        metrics: count the calls.
    """

    def __init__(
        self, *, size: int, call: Callable[[Handler, list[Job[Any]]], Awaitable[Any]], metrics: WorkerMetrics
    ) -> None:
        self._size = size
        self._call = call
        self._metrics = metrics
        # What one job's run sets is not for the others of its batch.
        self._context = contextvars.copy_context()
        self._gathering: dict[int, _Batch] = {}
        self._in_hand = 0
        self._is_hurried = False

    def resize(self, size: int) -> None:
        """Wait for no more jobs than this from now on: the worker runs no more at a time."""
        self._size = size
        self._begin_if_full()

    def begin_all(self) -> None:
        """Call the handlers of all batches that gather; those that come later wait as declared."""
        for batch in list(self._gathering.values()):
            self._begin(batch)

    def hurry(self) -> None:
        """Wait for no more jobs from now on, as the worker takes no more."""
        self._is_hurried = True
        self.begin_all()

    async def run(self, job: Job[Any], handler: Handler, *, on_begin: Callable[[], None]) -> Any:
        """Have a job handled with others; return its result, or raise its exception.

        A run that is cancelled leaves its batch. The call goes on for the others; without any left, it is
        cancelled too, and the run ends after it.

        Args:
            job: with its payload decoded.
            handler: one of batches.
            on_begin: called when the handler is called.

        Raises:
            HandlerError: the handler returned neither None nor a list of as many results as it got jobs.
        """
        member = _Member(job, on_begin)
        batch = self._gathering.get(id(handler))
        if batch is None:
            batch = self._gathering[id(handler)] = _Batch(handler)
            wait = 0.0 if self._is_hurried else handler.wait_ms / 1000
            batch.timer = asyncio.get_running_loop().call_later(wait, self._begin, batch)
        batch.members.append(member)
        self._in_hand += 1
        if len(batch.members) >= handler.batch:
            self._begin(batch)
        else:
            self._begin_if_full()
        try:
            result, traceback = await member.end
        except asyncio.CancelledError as error:
            await self._leave(batch, member, str(error))
            raise
        finally:
            self._in_hand -= 1
        if isinstance(result, BaseException):
            # An exception of all jobs would collect the frames of each of their runs.
            raise result.with_traceback(traceback)
        return result

    def _begin_if_full(self) -> None:
        """Wait no longer where every place of the worker is taken: no other job can come."""
        if self._in_hand >= self._size:
            self.begin_all()

    def _begin(self, batch: _Batch) -> None:
        self._forget(batch)
        name = batch.members[0].job.name
        batch.task = asyncio.get_running_loop().create_task(
            self._work(batch), name=f"batch of {len(batch.members)} {name} jobs", context=self._context.copy()
        )

    def _forget(self, batch: _Batch) -> None:
        del self._gathering[id(batch.handler)]
        if batch.timer is not None:
            batch.timer.cancel()

    async def _work(self, batch: _Batch) -> None:
        members = list(batch.members)
        jobs = [member.job for member in members]
        current_job.set(None)
        self._metrics.of(jobs[0].name).batches += 1
        for member in members:
            member.on_begin()
            set_field(member.job, "port", _PortInBatch(member.job.port))
        results: Sequence[Any]
        try:
            results = results_of(await self._call(batch.handler, jobs), jobs, batch.handler)
        except BaseException as error:  # as of the handler of one job
            results = [error] * len(jobs)
        for member, result in zip(members, results, strict=True):
            if not member.end.done():
                traceback = result.__traceback__ if isinstance(result, BaseException) else None
                member.end.set_result(_End(result, traceback))

    async def _leave(self, batch: _Batch, member: _Member, reason: str) -> None:
        """Take a job out of its batch; return after the call where no other job is left in it."""
        batch.members.remove(member)
        if batch.task is None:
            if not batch.members:
                self._forget(batch)
            return
        if not batch.task.cancelling() and all(other.is_leaving for other in batch.members):
            batch.task.cancel(reason)
        if batch.task.cancelling() and not batch.task.done():
            await asyncio.wait([batch.task])


class _Batch:
    """Jobs of one handler.

    Attributes:
        handler: what is called with them.
        members: those that have not left.
        timer: begins the call; None until it is set.
        task: the call; None before it begins.
    """

    __slots__ = ("handler", "members", "task", "timer")

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.members: list[_Member] = []
        self.timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None


class _End(NamedTuple):
    """What the handler has for one job: a result or an exception, with the traceback that this had in the call."""

    result: Any
    traceback: TracebackType | None


class _Member:
    """One job of a batch, and the run that waits for it."""

    __slots__ = ("_run", "end", "job", "on_begin")

    def __init__(self, job: Job[Any], on_begin: Callable[[], None]) -> None:
        self.job = job
        self.on_begin = on_begin
        self.end: asyncio.Future[_End] = asyncio.get_running_loop().create_future()
        self._run = asyncio.current_task()

    @property
    def is_leaving(self) -> bool:
        """Whether its run was cancelled: a stop cancels all those of a batch before the first of them goes on."""
        return self._run is not None and self._run.cancelling() > 0


class _PortInBatch:
    """The port of a job in a batch: that of any job, but for effects."""

    def __init__(self, port: JobPort) -> None:
        self._port = port

    def __getattr__(self, method: str) -> Any:
        return getattr(self._port, method)

    async def begin_effect(self, job_id: str, request: EffectRequest) -> EffectStart:
        """Refuse it: what an earlier run recorded ends the run of its job, and here it would end those of all."""
        raise HandlerError(
            f"effect {request.key} of job {job_id} was not begun: a batch has one call for many jobs, and an "
            "effect may end the run of its own. Give jobs with effects a handler without batch="
        )


def results_of(returned: Any, jobs: Sequence[Job[Any]], handler: Handler) -> Sequence[Any]:
    """Return what a batch handler has for each of its jobs: a result, or an exception.

    Args:
        returned: by the handler: a list in the order of the jobs, or None, which is the result of each then.
        jobs: what it was called with.
        handler: for the message.

    Raises:
        HandlerError: it is neither, or has another length.
    """
    if returned is None:
        return [None] * len(jobs)
    if isinstance(returned, list | tuple) and len(returned) == len(jobs):
        return returned
    came = f"{len(returned)} results" if isinstance(returned, list | tuple) else f"a {type(returned).__name__}"
    raise HandlerError(
        f"batch handler {name_of(handler.function)} was called with {len(jobs)} jobs and returned {came}: return "
        "a list with a result or an exception for each job, in their order, or None"
    )

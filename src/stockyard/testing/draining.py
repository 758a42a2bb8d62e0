"""Runs the jobs that wait, in the test's own task, until nothing more can start."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

from stockyard.app.app import App
from stockyard.consume.hooks import Hooks, call_hook
from stockyard.consume.options import WorkerOptions
from stockyard.errors import ConfigError
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.job import Job, JobState
from stockyard.testing.burst import Burst
from stockyard.testing.clock import ManualClock

_LOOK_SECONDS = 0.02
"""While a handler runs, queues are looked at again after this: it may have added a job, and await its end."""

_MOST = 1000


@dataclass(slots=True)
class Drained:
    """What became of the jobs that ``drain`` ran.

    Attributes:
        completed: jobs that completed.
        failed: jobs that failed for good.
        retried: attempts that failed and were followed by another.
        errors: those of the failed jobs, in the order in which they failed.
    """

    completed: list[Job[Any]] = field(default_factory=list)
    failed: list[Job[Any]] = field(default_factory=list)
    retried: int = 0
    errors: list[BaseException] = field(default_factory=list)


async def drain(
    app: App,
    *queues: str,
    with_scheduled: bool = False,
    raise_failures: bool = True,
    timeout: Duration = "10s",
    **options: Unpack[WorkerOptions],
) -> Drained:
    """Run the jobs that wait, and those that they add, until no more can start; return what became of them.

    Each queue has a worker with the handlers of its declaration, driven from this task. It runs as many jobs at a
    time as the queue declares: by default one, in the order of the queue. Retries without backoff run as well.
    A batch handler is called once its batch is full, or nothing else can start: its ``wait`` does not pass.
    Jobs that are delayed, halted, or wait for a rate limit stay. To remove waiting jobs unrun, use
    ``Queue.drain``.

    Args:
        app: where the queues are.
        queues: their names. Defaults to all that declare handlers.
        with_scheduled: run delayed jobs, retries with backoff, and the next run of each schedule, too. A
            ``ManualClock`` is moved to the time of each; without one, delayed jobs are promoted.
        raise_failures: raise the error of the first job that failed for good, when all have run. Defaults to True.
        timeout: real time after which it gives up. Defaults to 10 s.
        options: of the workers: see ``WorkerOptions``.

    Raises:
        UnknownQueue: the topology declares no such queue.
        ConfigError: no queue of the topology declares handlers.
        TimeoutError: handlers still run after ``timeout``; it names their jobs.
        BaseException: what the handler raised, with ``raise_failures``.
    """
    names = queues or tuple(spec.name for spec in app.topology if spec.router)
    if not names:
        raise ConfigError(
            f"no queue of topology {app.topology.name!r} declares handlers, so there is nothing to run: register "
            "them with @queue.handler('name'), and import the modules that do"
        )
    drained = Drained()
    options["hooks"] = _noted(options.get("hooks", Hooks()), drained)
    async with AsyncExitStack() as opened:
        bursts = [await opened.enter_async_context(Burst(app, name, None, options)) for name in names]
        try:
            async with asyncio.timeout(milliseconds(timeout, option="timeout") / 1000) as limit:
                first_runs = await _next_runs(app, names) if with_scheduled else set()
                await _run(bursts)
                if with_scheduled:
                    await _run_scheduled(app, bursts, first_runs)
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(_late(bursts, timeout)) from None
    if raise_failures and drained.errors:
        raise drained.errors[0]
    return drained


def _noted(hooks: Hooks, drained: Drained) -> Hooks:
    """Return hooks that note what happens before they call the given ones."""

    async def completed(job: Job[Any], result: Any) -> None:
        drained.completed.append(job)
        await call_hook(hooks.completed, job, result)

    async def failed(job: Job[Any], error: BaseException) -> None:
        drained.failed.append(job)
        drained.errors.append(error)
        await call_hook(hooks.failed, job, error)

    async def retried(job: Job[Any], error: BaseException, delay_ms: int) -> None:
        drained.retried += 1
        await call_hook(hooks.retried, job, error, delay_ms)

    return replace(hooks, completed=completed, failed=failed, retried=retried)


async def _run(bursts: list[Burst]) -> None:
    """Run what may start now, in all queues, until nothing runs and nothing may start."""
    while True:
        moved = sum([await burst.step() for burst in bursts])
        busy = [burst for burst in bursts if not burst.is_idle]
        if not busy and not moved:
            return
        if busy and not moved:
            # Real time passes while a batch gathers, and the clock of the test stands still.
            for burst in busy:
                burst.begin_batches()
        if busy:
            waits = [asyncio.create_task(burst.wait(_LOOK_SECONDS)) for burst in busy]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


async def _next_runs(app: App, queues: Sequence[str]) -> set[str]:
    """Return the ids of the next runs of all schedules."""
    schedules = [schedule for name in queues for schedule in await app.schedules(name).list()]
    return {schedule.next_job_id for schedule in schedules if schedule.has_next}


async def _run_scheduled(app: App, bursts: list[Burst], first_runs: set[str]) -> None:
    """Run what is delayed, each when its time has come; of schedules, their first runs alone."""
    clock = app._clock
    names = [burst.queue for burst in bursts]
    while True:
        delayed = [job for name in names for job in await _delayed(app, name, first_runs)]
        if not delayed:
            return
        if isinstance(clock, ManualClock):
            due = min((each.next_due for each in bursts if each.next_due), default=0)
            if due <= clock.now:
                return
            await clock.move_to(due)
        else:
            for job in delayed:
                await job.promote()
        await _run(bursts)


async def _delayed(app: App, queue: str, first_runs: set[str]) -> list[Job[Any]]:
    later = await _next_runs(app, [queue]) - first_runs
    jobs = await app.queue(queue).get_jobs(JobState.DELAYED, size=_MOST, newest_first=False)
    return [job for job in jobs if job.id not in later]


def _late(bursts: list[Burst], timeout: Duration) -> str:
    running = {burst.queue: burst.running for burst in bursts if burst.running}
    trouble = next((burst.trouble for burst in bursts if burst.trouble), "")
    if trouble:
        return f"the queues were not drained within {timeout}: {trouble}"
    if not running:
        return f"the queues were not drained within {timeout}: jobs came as fast as they ran"
    where = "; ".join(f"{', '.join(jobs)} of queue {queue!r}" for queue, jobs in running.items())
    return f"the queues were not drained within {timeout}: these jobs still run: {where}"

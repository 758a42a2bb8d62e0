"""Callbacks of a worker about its jobs."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, fields
from typing import Any

from stockyard._logging import about, about_job, plain
from stockyard.model import checks
from stockyard.model.job import Job
from stockyard.model.printing import printed

_log = logging.getLogger(__name__)
Hook = Callable[..., Awaitable[None] | None]


@checks.named_arguments("hook")
@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Functions, plain or async, called after the event; an error in one is logged and changes nothing.

    ``job.data`` and the result have the types that the handler declares; data that does not fit is plain JSON
    values. ``completed``, ``failed`` and ``retried`` get the job as it is now stored: attempts made, result or
    reason, times.

    Attributes:
        startup: ``()`` before the worker takes its first job. An error in it ends the worker: ``run`` raises it.
        shutdown: ``()`` when the last job has ended, before ``run`` returns; it has 2 s.
        started: ``(job)`` before its handler runs.
        completed: ``(job, result)`` once that is written.
        failed: ``(job, error)`` once the job is failed for good, also for having stalled too often.
        retried: ``(job, error, delay_ms)`` once another attempt is written.
        expired: ``(job)`` once a job has ended that did not start in time; its record is gone.
        stalled: ``(job_id)`` when this worker handed back a dead worker's job.
        drained: ``()`` when nothing more waits.
        schedule_repaired: ``(schedule_id, run_id)`` when this worker restored a schedule's missing next run.
        error: ``(error)`` when something of the worker itself fails: the server does not answer, once for each
            cause, or the worker cannot go on and ends with that error. Not for jobs that fail.
        lease_lost: ``(job)`` when the lease of a running job ran out or passed to another worker: the run is
            broken off, or its end is not written; the job runs again elsewhere.
        leases_renewed: ``(job_ids)`` each time that leases of running jobs were renewed; at most 200 ids.

    Raises:
        InvalidOption: one of them is no function, or no hook has such a name.
    """

    startup: Callable[[], Awaitable[None] | None] | None = None
    shutdown: Callable[[], Awaitable[None] | None] | None = None
    started: Callable[[Job[Any]], Awaitable[None] | None] | None = None
    completed: Callable[[Job[Any], Any], Awaitable[None] | None] | None = None
    failed: Callable[[Job[Any], BaseException], Awaitable[None] | None] | None = None
    retried: Callable[[Job[Any], BaseException, int], Awaitable[None] | None] | None = None
    expired: Callable[[Job[Any]], Awaitable[None] | None] | None = None
    stalled: Callable[[str], Awaitable[None] | None] | None = None
    drained: Callable[[], Awaitable[None] | None] | None = None
    schedule_repaired: Callable[[str, str], Awaitable[None] | None] | None = None
    error: Callable[[BaseException], Awaitable[None] | None] | None = None
    lease_lost: Callable[[Job[Any]], Awaitable[None] | None] | None = None
    leases_renewed: Callable[[list[str]], Awaitable[None] | None] | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            hook = getattr(self, field.name)
            if hook is not None:
                checks.function(f"the hook {field.name!r}", hook)


async def begin(hook: Hook | None) -> None:
    """Call the hook ``startup`` if there is one; raises what it raises."""
    answer = None if hook is None else hook()
    if inspect.isawaitable(answer):
        await answer


async def call_hook(hook: Hook | None, *arguments: Any) -> None:
    """Call a hook if there is one."""
    rest = None if hook is None else begin_call(hook, arguments)
    if rest is not None:
        await rest


def begin_call(hook: Hook, arguments: tuple[Any, ...]) -> Coroutine[Any, Any, None] | None:
    """Call a hook; return what is left to await, or None after one that is a plain function."""
    try:
        answer = hook(*arguments)
    except BaseException as error:  # native extensions raise their panics as such
        _failed(hook, arguments, error)
        return None
    return None if answer is None or not inspect.isawaitable(answer) else _awaited(hook, arguments, answer)


async def _awaited(hook: Hook, arguments: tuple[Any, ...], answer: Awaitable[None]) -> None:
    try:
        await answer
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        _failed(hook, arguments, error)
    except BaseException as error:
        _failed(hook, arguments, error)


def _failed(hook: Hook, arguments: tuple[Any, ...], error: BaseException) -> None:
    name = getattr(hook, "__qualname__", None) or type(hook).__qualname__
    job = next((argument for argument in arguments if isinstance(argument, Job)), None)
    extra: dict[str, Any] = {"hook": name}
    if job is not None:
        extra |= about_job(job, attempt=job.attempt, error=type(error).__name__)
    _log.error(
        "hook %s failed%s: %s; nothing else is changed by it",
        name,
        "" if job is None else f" for {about(job, job.attempt)}",
        plain(printed(error)),
        exc_info=error,
        extra=extra,
    )

"""What a program may be told about its worker's jobs."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from stockyard.model.job import Job

_log = logging.getLogger("stockyard")
Hook = Callable[..., Awaitable[None] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Functions, plain or async, called after the event; an error in one is logged and changes nothing.

    Attributes:
        started: ``(job)`` before its handler runs.
        completed: ``(job, result)`` once that is written.
        failed: ``(job, error)`` once the job is failed for good.
        retried: ``(job, error, delay_ms)`` once another attempt is written.
        stalled: ``(job_id)`` when this worker handed back a dead worker's job.
        drained: ``()`` when nothing more waits.
        schedule_repaired: ``(schedule_id, run_id)`` when this worker made a schedule's missing next run anew.
    """

    started: Callable[[Job[Any]], Awaitable[None] | None] | None = None
    completed: Callable[[Job[Any], Any], Awaitable[None] | None] | None = None
    failed: Callable[[Job[Any], BaseException], Awaitable[None] | None] | None = None
    retried: Callable[[Job[Any], BaseException, int], Awaitable[None] | None] | None = None
    stalled: Callable[[str], Awaitable[None] | None] | None = None
    drained: Callable[[], Awaitable[None] | None] | None = None
    schedule_repaired: Callable[[str, str], Awaitable[None] | None] | None = None


async def tell(hook: Hook | None, *arguments: Any) -> None:
    """Call a hook if there is one."""
    if hook is None:
        return
    try:
        answer = hook(*arguments)
        if inspect.isawaitable(answer):
            await answer
    except Exception:
        _log.exception("hook %s failed", getattr(hook, "__qualname__", hook))

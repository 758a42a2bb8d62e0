"""Announces the ends of runs that are written: brings the job to its final state, logs failures, calls hooks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from stockyard import telemetry
from stockyard._logging import about, about_job, plain
from stockyard.consume.executors.results import read_result
from stockyard.consume.hooks import Hook, Hooks, begin_call
from stockyard.consume.run.error_outcome import class_of
from stockyard.consume.run.invocation import Invocation
from stockyard.model.job import Job, set_fields
from stockyard.model.outcome import Completed, Expired, Failed, Outcome, Retried

_log = logging.getLogger(__name__)


class Announcer:
    """What follows once the end of a run is written.

    Args:
        queue: its name.
        hooks: called with the job in its final state.
    """

    def __init__(self, queue: str, *, hooks: Hooks) -> None:
        self._queue = queue
        self._hooks = hooks
        self._calls: set[asyncio.Task[None]] = set()
        self._due: list[tuple[Hook, tuple[Any, ...]]] = []

    @property
    def announces_completed(self) -> bool:
        """Whether a job that completed is worth a call of ``ended``."""
        return self._hooks.completed is not None

    def ended(self, run: Invocation, outcome: Outcome, moment: int) -> None:
        """Announce the end of a run.

        Args:
            run: the run.
            outcome: how it ended.
            moment: when that was written, ms since the epoch.
        """
        job, hooks = run.job, self._hooks
        match outcome:
            case Completed():
                if hooks.completed is not None:
                    run.expose()
                    result = read_result(run.result, run.handler)
                    _count_attempt(job)
                    set_fields(job, return_value=result, failed_reason=None, finished_on=moment)
                    self.call_hook(hooks.completed, job, result)
            case Failed(reason=reason):
                error = class_of(run.result)
                _log.error(
                    "%s failed: %s",
                    about(job),
                    plain(reason),
                    extra=_about(run, error),
                )
                _count_attempt(job)
                set_fields(job, failed_reason=reason, stacktrace=outcome.stacktrace, finished_on=moment)
                if hooks.failed is not None:
                    run.expose()
                    self.call_hook(hooks.failed, job, run.result)
            case Expired(reason=reason):
                _log.info("%s ended: %s", about(job), plain(reason), extra=about_job(job))
                set_fields(job, failed_reason=reason, finished_on=moment)
                if hooks.expired is not None:
                    run.expose()
                    self.call_hook(hooks.expired, job)
            case Retried(reason=reason, delay_ms=delay):
                _log.warning(
                    "%s failed and is retried %s: %s",
                    about(job),
                    f"in {delay / 1000:g} s" if delay else "at once",
                    plain(reason),
                    extra=_about(run, class_of(run.result)),
                )
                _count_attempt(job)
                set_fields(
                    job,
                    failed_reason=reason,
                    stacktrace=outcome.stacktrace,
                    delay_ms=delay or job.delay_ms,
                )
                if hooks.retried is not None:
                    run.expose()
                    self.call_hook(hooks.retried, job, run.result, delay)

    def error(self, error: BaseException) -> None:
        """Announce that something of the worker itself failed."""
        if self._hooks.error is not None:
            self.call_hook(self._hooks.error, error)

    def lost(self, run: Invocation) -> None:
        """Announce that the lease of a run is lost."""
        if self._hooks.lease_lost is not None:
            run.expose()
            self.call_hook(self._hooks.lease_lost, run.job)

    @property
    def on_renewed(self) -> Callable[[list[str]], None] | None:
        """What announces leases that were renewed, by the ids of their jobs; None where nobody asks."""
        hook = self._hooks.leases_renewed
        return None if hook is None else lambda job_ids: self.call_hook(hook, job_ids)

    def ended_unread(self, job_id: str, outcome: Outcome) -> None:
        """Announce the end of a job whose record could not be read, or that did not have to run."""
        if isinstance(outcome, Failed):
            _log.error(
                "job %s of queue %s failed without a run: %s",
                plain(job_id),
                self._queue,
                plain(outcome.reason),
                extra={"queue": self._queue, "job": job_id},
            )

    def call_hook(self, hook: Hook, *arguments: Any) -> None:
        """Call a hook in the next turn of the loop; ``wait`` waits until it has returned."""
        if not self._due:
            asyncio.get_running_loop().call_soon(self._call_due)
        self._due.append((hook, arguments))

    def _call_due(self) -> None:
        due, self._due = self._due, []
        for hook, arguments in due:
            # A plain function needs no task.
            if (rest := begin_call(hook, arguments)) is not None:
                self.call(rest)

    def call(self, call: Coroutine[Any, Any, None]) -> None:
        """Run something in the background; ``wait`` waits for it."""
        task = asyncio.create_task(call)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def wait(self) -> None:
        """Return when every hook has returned."""
        while self._due or self._calls:
            await (asyncio.wait(self._calls) if self._calls else asyncio.sleep(0))


def _count_attempt(job: Job[Any]) -> None:
    set_fields(job, ended_attempt=job.attempt, attempts_made=job.attempts_made + 1)


def _about(run: Invocation, error: str) -> dict[str, Any]:
    """Return what a log line says of a failed attempt; its span is over when that is written."""
    extra = about_job(run.job, error=error)
    return extra if run.trace is None else {**extra, **telemetry.log_fields(run.trace)}

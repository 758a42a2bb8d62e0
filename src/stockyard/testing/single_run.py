"""Runs one handler on one payload as a worker would, without a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

import msgspec

from stockyard._aio.portal import Portal
from stockyard.consume.run.execution import Execution
from stockyard.consume.run.handler_call import HandlerCall, Middleware
from stockyard.consume.run.invocation import Invocation
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.errors import ConfigError, HandlerError
from stockyard.model import checks
from stockyard.model.clock import Clock, system_clock
from stockyard.model.effect_port import EffectReport, EffectRequest, EffectStart
from stockyard.model.handler import Handler
from stockyard.model.job import Job, JobState
from stockyard.model.options import AddOptions, JobOptions
from stockyard.model.outcome import Completed
from stockyard.model.payload import encode_payload
from stockyard.model.signature import name_of

_QUEUE = "run_job"


@dataclass(frozen=True, slots=True)
class JobRun:
    """What a handler did, and returned, in ``run_job``.

    Attributes:
        result: what it returned, written as JSON and read again, as those who wait for the result receive it.
        job: the job as the handler left it.
        logs: lines that it logged.
        progress: the values of ``update_progress``, in order.
        effects: how each of its effects ended, by key: ``"committed"``, ``"failed"`` or ``"unknown"``.
    """

    result: Any
    job: Job[Any]
    logs: list[str]
    progress: list[Any]
    effects: dict[str, str]


async def run_job(
    handler: Callable[[Any], Any],
    data: Any = None,
    *,
    name: str = "job",
    attempt: int = 1,
    children: Mapping[str, Any] | None = None,
    middleware: Sequence[Middleware] = (),
    clock: Clock = system_clock,
    **options: Unpack[AddOptions],
) -> JobRun:
    """Run a handler once, with no server: its payload and its result are written as JSON and read again.

    What the handler does with its job is noted: log lines, progress, a replaced payload, effects, which always
    begin. A handler that is declared for child processes runs in this one. What needs a queue, such as
    ``job.retry()``, raises ConfigError: use ``drain`` for that.

    Args:
        handler: the function, as a queue or a router registers it.
        data: the payload: what ``Queue.add`` takes. Defaults to None.
        name: of the job.
        attempt: number of the attempt, from 1.
        children: results of its children, by their keys. Defaults to none.
        middleware: around the call, the first outermost.
        clock: gives the time that effects are signed with. Defaults to the machine's.
        options: of the job: see ``AddOptions``.

    Returns:
        What the handler returned, and what it did.

    Raises:
        HandlerError: it is no handler, or one of batches, which ``drain`` runs.
        PayloadError: the payload or the result is not JSON-able, or does not fit the declared type.
        JobTimeout: it ran longer than ``timeout`` of the options.
        BaseException: whatever the handler raises, signals such as ``Delay`` as well.

    Example:
        run = await run_job(welcome, Welcome(to="a@b.c"))
        assert run.result == "sent"
    """
    checks.whole("attempt", attempt, least=1)
    declared = _declared(handler)
    chosen = JobOptions().merged(**options)
    port = _NotingPort(children or {}, clock)
    job: Job[Any] = Job(
        chosen.job_id or "1",
        name,
        encode_payload(data, what="the payload of", of=name, declared=declared.payload),
        chosen,
        _QUEUE,
        clock(),
        port,
        chosen.priority,
        chosen.delay_ms,
        attempts_made=attempt - 1,
        attempts_started=attempt,
    )
    execution = Execution(
        _QUEUE,
        size=declared.batch or 1,
        recycle_after=None,
        memory_limit=None,
        metrics=WorkerMetrics(lambda _: True),
        on_room=lambda: None,
    )
    await execution.warm([declared])
    call = HandlerCall(_QUEUE, find=lambda _: declared, execution=execution, middleware=middleware)
    invocation = Invocation(job, call.find)
    try:
        outcome = await call.outcome(invocation)
    finally:
        await execution.stop(1)
    if not isinstance(outcome, Completed):
        assert isinstance(invocation.result, BaseException)
        raise invocation.result
    text = outcome.value.encode()
    result = json.loads(text) if declared.decode_result is None else declared.decode_result(text)
    return JobRun(result, job, port.lines, port.progress, port.effects)


def _declared(handler: Callable[[Any], Any]) -> Handler:
    try:
        return Handler.of(handler)
    except HandlerError as error:
        if not _takes_several_jobs(handler):
            raise
        raise HandlerError(
            f"handler {name_of(handler)} takes a list of jobs, and run_job runs one job: add jobs to the queue of "
            "this batch handler, and run them by `await drain(app)`"
        ) from error


def _takes_several_jobs(handler: Callable[[Any], Any]) -> bool:
    try:
        return not Handler.of(handler, batch=1).takes_payload
    except HandlerError:
        return False


@dataclass(slots=True)
class _NotingPort:
    """What a job is given in place of the store: notes what is done by it."""

    given: Mapping[str, Any]
    clock: Clock
    lines: list[str] = field(default_factory=list)
    progress: list[Any] = field(default_factory=list)
    effects: dict[str, str] = field(default_factory=dict)

    async def update_progress(self, job_id: str, value: Any) -> None:
        self.progress.append(_as_stored(value, "the progress of"))

    async def log(self, job_id: str, line: str) -> int:
        self.lines.append(checks.line("line", line))
        return len(self.lines)

    async def logs(self, job_id: str, start: int, end: int, *, newest_first: bool = False) -> list[str]:
        lines = self.lines[::-1] if newest_first else self.lines
        # A negative end counts from the last line, which it includes.
        return lines[start : (end % len(lines) if lines else 0) + 1]

    async def log_count(self, job_id: str) -> int:
        return len(self.lines)

    async def clear_logs(self, job_id: str, keep: int) -> None:
        del self.lines[: len(self.lines) - keep]

    async def update_data(self, job_id: str, data: Any) -> None:
        _as_stored(data, "the payload of")

    async def state(self, job_id: str) -> JobState:
        return JobState.ACTIVE

    async def is_held_by_children(self, job_id: str) -> bool:
        return False

    async def children_values(self, job_id: str) -> dict[str, Any]:
        return {key: _as_stored(value, "a child's result of") for key, value in self.given.items()}

    async def ignored_failures(self, job_id: str) -> dict[str, str]:
        return {}

    async def failed_children(self, job_id: str) -> list[str]:
        return []

    async def begin_effect(self, job_id: str, request: EffectRequest) -> EffectStart:
        now = self.clock()
        self.effects[request.key] = "open"
        return EffectStart("begun", 1, now, now + request.most_ms, request.most_ms)

    async def report_effect(self, job_id: str, report: EffectReport) -> str:
        self.effects[report.key] = report.outcome
        return report.outcome

    def blocking(self, target: Any) -> Any:
        # None of these methods waits: the calling thread runs them.
        return Portal().blocking(target, needs_loop=())

    def __getattr__(self, name: str) -> Any:
        raise ConfigError(
            f"run_job has no server, so the handler cannot use {name}() of its job: add the job to a queue, and "
            "run it by `await drain(app)`"
        )


def _as_stored(value: Any, what: str) -> Any:
    return msgspec.json.decode(encode_payload(value, what=what, of=_QUEUE))

"""A handler's call without server and leases: found, given its payload, run in middleware, and its outcome."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from stockyard.consume.executors.results import CANCELLED_ITSELF
from stockyard.consume.hooks import Hooks
from stockyard.consume.run.execution import Execution
from stockyard.consume.run.handler_call import STARTED_TOO_OFTEN, CallNext, HandlerCall
from stockyard.consume.run.handler_finder import handlers_of, unknown_name
from stockyard.consume.run.invocation import Invocation
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.effects import EffectRecorded, OutcomeUnknown
from stockyard.errors import Delay, ServerUnavailable
from stockyard.model.handler import Handler
from stockyard.model.job import Job, set_fields
from stockyard.model.options import JobOptions
from stockyard.model.outcome import Completed, Delayed, Failed, Outcome, Requeued, Retried
from stockyard.topology import QueueSpec


class Order(msgspec.Struct):
    symbol: str
    amount: int


def calling(processor: Callable[..., Any], **options: Any) -> HandlerCall:
    """The call of one handler for every job."""
    _, find = handlers_of(QueueSpec("q"), processor, options.pop("executor", None))
    return HandlerCall("q", find=options.pop("find", find), execution=execution(), rng=random.Random(1), **options)


def execution() -> Execution:
    return Execution(
        "q",
        size=2,
        recycle_after=None,
        memory_limit=None,
        metrics=WorkerMetrics(),
        on_room=lambda: None,
    )


def invocation(call: HandlerCall, data: bytes = b'{"symbol":"A","amount":2}', **options: Any) -> Invocation:
    job: Job[Any] = Job("1", "submit", data, JobOptions(**options), "q", 0, port=None)  # type: ignore[arg-type]
    return Invocation(job, call.find)


async def outcome_of(
    processor: Callable[..., Any], *, data: bytes = b'{"symbol":"A","amount":2}', **given: Any
) -> Outcome:
    options = {name: given.pop(name) for name in ("attempts", "timeout_ms", "remove_on_complete") if name in given}
    call = calling(processor, **given)
    return await call.outcome(invocation(call, data, **options))


async def test_what_a_handler_returns_is_the_result_as_json() -> None:
    async def submit(order: Order) -> dict[str, Any]:
        return {"sent": order.amount * 2}

    assert await outcome_of(submit) == Completed('{"sent":4}', None)


async def test_a_plain_function_runs_in_a_thread() -> None:
    def submit(job: Job[Any]) -> str:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return str(job.data["symbol"])

    assert await outcome_of(submit) == Completed('"A"', None)


async def test_retention_is_the_job_s_or_else_the_queue_s() -> None:
    async def nothing(_job: Job[Any]) -> None: ...

    assert await outcome_of(nothing, keep=(5, 6)) == Completed("null", 5)
    assert await outcome_of(nothing, keep=(5, 6), remove_on_complete=True) == Completed("null", True)


async def test_a_payload_that_does_not_fit_fails_at_once() -> None:
    async def submit(_order: Order) -> None:
        raise AssertionError("it was called")

    outcome = await outcome_of(submit, data=b'{"symbol":"A"}', attempts=5)
    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith("PayloadError: ")


async def test_a_name_that_nobody_serves_fails_at_once() -> None:
    async def submit(_job: Job[Any]) -> None: ...

    def find(name: str) -> Handler:
        raise unknown_name("q", name, ["cancel"])

    outcome = await outcome_of(submit, find=find, attempts=5)
    assert isinstance(outcome, Failed)
    assert "no handler for job name 'submit' in this worker of queue 'q'; it serves cancel" in outcome.reason


async def test_what_it_raises_is_retried_or_a_signal() -> None:
    async def fail(_job: Job[Any]) -> None:
        raise KeyError("nope")

    async def later(_job: Job[Any]) -> None:
        raise Delay("1s")

    async def without_server(_job: Job[Any]) -> None:
        raise ServerUnavailable("away")

    outcome = await outcome_of(fail, attempts=2)
    assert isinstance(outcome, Retried)
    assert outcome.reason == "KeyError: 'nope'"
    assert await outcome_of(later) == Delayed(1000)
    assert isinstance(await outcome_of(without_server), Delayed)


async def test_a_timeout_is_a_failure() -> None:
    async def hang(_job: Job[Any]) -> None:
        await asyncio.Event().wait()

    outcome = await outcome_of(hang, timeout_ms=10)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "JobTimeout: timed out after 10 ms"


async def test_middleware_runs_around_the_handler_the_first_outermost() -> None:
    steps: list[str] = []

    def layer(name: str) -> Any:
        async def middleware(job: Job[Any], call_next: CallNext) -> Any:
            steps.append(f"{name} in")
            result = await call_next(job)
            steps.append(f"{name} out")
            return result + 1

        return middleware

    async def submit(order: Order) -> int:
        steps.append("handler")
        return order.amount

    assert await outcome_of(submit, middleware=[layer("a"), layer("b")]) == Completed("4", None)
    assert steps == ["a in", "b in", "handler", "b out", "a out"]


async def test_the_hook_of_starts_sees_the_payload_as_declared() -> None:
    seen: list[Any] = []

    async def submit(_order: Order) -> None:
        seen.append("handler")

    async def started(job: Job[Any]) -> None:
        seen.append(job.data)

    await outcome_of(submit, hooks=Hooks(started=started))
    assert seen == [Order("A", 2), "handler"]


async def test_a_job_that_is_to_fail_is_not_called() -> None:
    async def submit(_job: Job[Any]) -> None:
        raise AssertionError("it was called")

    call = calling(submit, max_started=2, keep=(None, 7))
    job = invocation(call, attempts=9)
    assert call.reason_to_fail(job.job, b"a child failed") == "a child failed"
    assert call.reason_to_fail(job.job, None) is None
    set_fields(job.job, attempts_started=3)
    reason = call.reason_to_fail(job.job, None)
    assert reason == STARTED_TOO_OFTEN
    outcome = await call.outcome(job, reason)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.keep) == (STARTED_TOO_OFTEN, 7)


async def test_a_handler_that_cancels_itself_has_failed() -> None:
    async def submit(_job: Job[Any]) -> None:
        raise asyncio.CancelledError

    outcome = await outcome_of(submit)
    assert isinstance(outcome, Failed)
    assert outcome.reason == CANCELLED_ITSELF


async def test_a_call_that_is_broken_off_is_requeued_or_if_its_job_was_cancelled_failed() -> None:
    begun = asyncio.Event()

    async def hang(_job: Job[Any]) -> None:
        begun.set()
        await asyncio.Event().wait()

    call = calling(hang)
    job = invocation(call)
    task = asyncio.create_task(call.outcome(job))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.broken_off(job) == Requeued()
    job.cancelled = "cancelled by the desk"
    outcome = call.broken_off(job)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "cancelled by the desk"


async def test_what_a_cancelled_job_raises_earns_no_other_attempt() -> None:
    async def submit(_job: Job[Any]) -> None: ...

    call = calling(submit)
    job = invocation(call, attempts=5)
    job.cancelled = "not needed"
    outcome = call.failed(job, ValueError("while it was broken off"))
    assert isinstance(outcome, Failed)
    assert outcome.reason == "not needed"


def test_a_record_that_cannot_be_read_fails() -> None:
    async def submit(_job: Job[Any]) -> None: ...

    assert calling(submit, keep=(None, 3)).unread("corrupt") == Failed("corrupt", ("corrupt",), 0, 3)


class Once:
    """Says of every job that it must not run again, and keeps which were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def reason_to_fail(self, job_id: str) -> str | None:
        self.asked.append(job_id)
        return "OutcomeUnknown: it was lost"

    async def error_of_broken(self, job_id: str) -> OutcomeUnknown | None:
        self.asked.append(job_id)
        return OutcomeUnknown("its worker stopped")


async def test_where_jobs_run_at_most_once_one_that_stalled_is_asked_for() -> None:
    ran: list[str] = []

    async def submit(job: Job[Any]) -> None:
        ran.append(job.id)

    once: Any = Once()
    call = calling(submit, once=once)
    fresh, stalled = invocation(call), invocation(call)
    set_fields(stalled.job, stalled_count=1)
    assert isinstance(await call.outcome(fresh), Completed)
    assert once.asked == []
    outcome = await call.outcome(stalled)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "OutcomeUnknown: it was lost"
    assert (ran, once.asked) == (["1"], ["1"])


async def test_where_jobs_run_at_most_once_one_that_is_broken_off_fails_as_unknown() -> None:
    async def submit(_job: Job[Any]) -> None: ...

    once: Any = Once()
    call = calling(submit, once=once)
    outcome = await call.handed_back(invocation(call, attempts=5))
    assert isinstance(outcome, Failed)
    assert outcome.reason == "OutcomeUnknown: its worker stopped"
    assert await calling(submit).handed_back(invocation(call)) == Requeued()


async def test_what_an_earlier_run_recorded_is_the_result() -> None:
    async def submit(_job: Job[Any]) -> None:
        raise EffectRecorded('{"id":5}')

    call = calling(submit)
    job = invocation(call)
    assert await call.outcome(job) == Completed('{"id":5}', None)
    assert job.result == {"id": 5}

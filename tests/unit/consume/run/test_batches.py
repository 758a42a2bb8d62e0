"""The batches of a worker: gathered until full, or until the first job has waited; each job with its own end."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from stockyard._logging import current_job
from stockyard.consume.run.execution import Execution
from stockyard.consume.run.handler_call import CallNext, HandlerCall
from stockyard.consume.run.handler_finder import check_places
from stockyard.consume.run.invocation import Invocation
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.errors import Delay, HandlerError, InvalidOption, UnrecoverableError
from stockyard.model.handler import Handler
from stockyard.model.job import Job
from stockyard.model.options import JobOptions
from stockyard.model.outcome import Completed, Delayed, Failed, Outcome, Requeued, Retried


class Desk:
    """One handler of batches, its calls, and what calls it for single jobs."""

    def __init__(
        self, function: Callable[..., Any], *, batch: int, wait: Any = "1h", size: int = 100, **options: Any
    ) -> None:
        self.handler = Handler.of(function, batch=batch, wait=wait)
        self.metrics = WorkerMetrics()
        self.execution = Execution(
            "q", size=size, recycle_after=None, memory_limit=None, metrics=self.metrics, on_room=lambda: None
        )
        self.call = HandlerCall("q", find=lambda name: self.handler, execution=self.execution, **options)
        self.invocations: list[Invocation] = []

    async def start(self, *payloads: bytes, **options: Any) -> list[asyncio.Task[Outcome]]:
        """Start a run for each payload, all in one turn of the loop."""
        await self.execution.warm([self.handler])
        tasks = []
        for number, data in enumerate(payloads, len(self.invocations) + 1):
            job: Job[Any] = Job(str(number), "tick", data, JobOptions(**options), "q", 0, port=None)  # type: ignore[arg-type]
            invocation = Invocation(job, self.call.find)
            self.invocations.append(invocation)
            tasks.append(asyncio.create_task(self._outcome(invocation)))
        return tasks

    async def outcomes(self, *payloads: bytes, **options: Any) -> Sequence[Outcome]:
        return await asyncio.gather(*await self.start(*payloads, **options))

    async def _outcome(self, invocation: Invocation) -> Outcome:
        current_job.set(invocation.job)
        try:
            return await self.call.outcome(invocation)
        except asyncio.CancelledError:
            return self.call.broken_off(invocation)


class Calls:
    """A handler of batches that notes what it is given, and returns it doubled."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []

    async def __call__(self, jobs: list[Job[int]]) -> list[int]:
        self.given.append([job.data for job in jobs])
        return [2 * job.data for job in jobs]


def numbers(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


async def test_a_full_batch_is_called_at_once_and_each_job_has_its_own_result() -> None:
    calls = Calls()
    desk = Desk(calls, batch=3)
    outcomes = await desk.outcomes(*numbers(6))
    assert calls.given == [[0, 1, 2], [3, 4, 5]]
    assert outcomes == [Completed(str(2 * number), None) for number in range(6)]
    assert desk.metrics.of("tick").batches == 2
    assert all(invocation.began is not None for invocation in desk.invocations)


async def test_a_batch_that_does_not_fill_is_called_when_its_first_job_has_waited() -> None:
    calls = Calls()
    await Desk(calls, batch=100, wait="1ms").outcomes(*numbers(2))
    await Desk(calls, batch=100, wait=0).outcomes(*numbers(3))
    assert calls.given == [[0, 1], [0, 1, 2]]


async def test_a_batch_waits_for_no_more_jobs_than_the_worker_has_places() -> None:
    calls = Calls()
    desk = Desk(calls, batch=4, size=4)
    waiting = await desk.start(*numbers(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert calls.given == []
    desk.execution.resize(2)
    assert await asyncio.gather(*waiting) == [Completed("0", None), Completed("2", None)]
    assert calls.given == [[0, 1]]


async def test_a_worker_that_stops_waits_for_no_more_jobs() -> None:
    calls = Calls()
    desk = Desk(calls, batch=100)
    waiting = await desk.start(*numbers(2))
    await asyncio.sleep(0)
    desk.execution.hurry()
    await asyncio.gather(*waiting)
    await desk.outcomes(b"5", b"6", b"7")
    assert calls.given == [[0, 1], [5, 6, 7]]


async def test_what_the_handler_returns_for_a_job_may_be_an_exception() -> None:
    async def handle(jobs: list[Job[int]]) -> list[Any]:
        return [jobs[0].data, ValueError("odd"), Delay("2s"), UnrecoverableError("never")][: len(jobs)]

    def handle_all(jobs: Any) -> Any:
        return handle(jobs)

    for function in (handle, handle_all):
        outcomes = await Desk(function, batch=4).outcomes(*numbers(4), attempts=2)
        assert outcomes[0] == Completed("0", None)
        assert isinstance(outcomes[1], Retried)
        assert outcomes[1].reason == "ValueError: odd"
        assert outcomes[2] == Delayed(2000)
        assert isinstance(outcomes[3], Failed)
        assert outcomes[3].reason == "never"


async def test_the_results_of_gather_are_results_of_a_batch() -> None:
    async def one(job: Job[int]) -> int:
        if job.data == 1:
            raise ValueError("odd")
        if job.data == 2:
            raise asyncio.CancelledError
        return job.data

    async def handle(jobs: list[Job[int]]) -> list[int | BaseException]:
        return await asyncio.gather(*map(one, jobs), return_exceptions=True)

    first, odd, cancelled = await Desk(handle, batch=3).outcomes(*numbers(3))
    assert first == Completed("0", None)
    assert isinstance(odd, Failed)
    assert isinstance(cancelled, Failed)
    assert cancelled.reason == "the handler was cancelled"


async def test_an_exception_is_that_of_every_job_and_collects_no_frames() -> None:
    async def handle(jobs: list[Job[int]]) -> None:
        raise ValueError("all")

    outcomes = await Desk(handle, batch=40).outcomes(*numbers(40), attempts=2)
    assert all(isinstance(outcome, Retried) and outcome.reason == "ValueError: all" for outcome in outcomes)
    lengths = {len(outcome.stacktrace[0]) for outcome in outcomes if isinstance(outcome, Retried)}
    assert len(lengths) == 1


async def test_none_is_the_result_of_every_job() -> None:
    def handle(jobs: list[Job[int]]) -> None: ...

    assert await Desk(handle, batch=2).outcomes(*numbers(2)) == [Completed("null", None)] * 2


@pytest.mark.parametrize(
    ("returned", "came"), [([1], "1 results"), ([1, 2, 3], "3 results"), ("ab", "a str"), ({1: 2, 3: 4}, "a dict")]
)
async def test_anything_else_than_a_result_for_each_job_fails_them_all(returned: Any, came: str) -> None:
    async def handle(jobs: list[Job[int]]) -> Any:
        return returned

    for outcome in await Desk(handle, batch=2).outcomes(*numbers(2), attempts=3):
        assert isinstance(outcome, Failed)
        assert f"was called with 2 jobs and returned {came}: return a list" in outcome.reason


async def test_a_payload_that_does_not_fit_fails_its_own_job() -> None:
    given: list[int] = []

    async def handle(prices: list[int]) -> list[int]:
        given.extend(prices)
        return prices

    fits, misfit, fits_too = await Desk(handle, batch=2).outcomes(b"1", b'"x"', b"2")
    assert (fits, fits_too) == (Completed("1", None), Completed("2", None))
    assert isinstance(misfit, Failed)
    assert misfit.reason.startswith("PayloadError")
    assert given == [1, 2]


async def test_a_result_that_is_no_json_fails_its_own_job() -> None:
    async def handle(jobs: list[Job[int]]) -> list[Any]:
        return [1, object()]

    good, bad = await Desk(handle, batch=2).outcomes(*numbers(2))
    assert good == Completed("1", None)
    assert isinstance(bad, Failed)
    assert "PayloadError" in bad.reason


async def test_middleware_wraps_each_job() -> None:
    seen: list[Any] = []

    async def double(job: Job[Any], call_next: CallNext) -> Any:
        job.data *= 10
        result = await call_next(job)
        seen.append(result)
        return result + 1

    calls = Calls()
    outcomes = await Desk(calls, batch=2, middleware=[double]).outcomes(b"1", b"2")
    assert calls.given == [[10, 20]]
    assert seen == [20, 40]
    assert outcomes == [Completed("21", None), Completed("41", None)]


@pytest.mark.parametrize("is_async", [True, False])
async def test_the_shortest_timeout_is_that_of_the_batch(is_async: bool) -> None:
    freed = threading.Event()

    async def waits(jobs: list[Job[int]]) -> None:
        await asyncio.Event().wait()

    def blocks(jobs: list[Job[int]]) -> None:
        freed.wait(30)

    try:
        desk = Desk(waits if is_async else blocks, batch=2)
        slow = await desk.start(b"1", timeout_ms=60_000)
        quick = await desk.start(b"2", timeout_ms=10)
        for outcome in await asyncio.gather(*slow, *quick):
            assert isinstance(outcome, Failed)
            assert outcome.reason == "JobTimeout: timed out after 10 ms"
    finally:
        freed.set()


async def test_a_cancelled_job_leaves_its_batch_and_the_others_go_on() -> None:
    entered, free = asyncio.Event(), asyncio.Event()

    async def handle(jobs: list[Job[int]]) -> list[int]:
        entered.set()
        await free.wait()
        return [job.data for job in jobs]

    desk = Desk(handle, batch=3)
    tasks = await desk.start(*numbers(3))
    await entered.wait()
    desk.invocations[1].cancelled = "cancelled"
    tasks[1].cancel()
    outcome = await tasks[1]
    assert isinstance(outcome, Failed)
    assert not tasks[0].done()
    free.set()
    assert await tasks[0] == Completed("0", None)
    assert await tasks[2] == Completed("2", None)


async def test_a_job_that_is_cancelled_while_its_batch_gathers_is_not_in_it() -> None:
    calls = Calls()
    desk = Desk(calls, batch=3)
    tasks = await desk.start(*numbers(2))
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert await tasks[0] == Requeued()
    tasks += await desk.start(b"7", b"8")
    await asyncio.gather(*tasks[1:])
    assert calls.given == [[1, 7, 8]]
    # With nobody left, the next one begins another.
    (lonely,) = await desk.start(b"9")
    await asyncio.sleep(0)
    lonely.cancel()
    await lonely
    await desk.outcomes(*numbers(3))
    assert calls.given[1:] == [[0, 1, 2]]


async def test_a_stop_cancels_the_call_and_every_run_ends_after_it() -> None:
    entered, order = asyncio.Event(), []

    async def handle(jobs: list[Job[int]]) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            order.append("call")

    desk = Desk(handle, batch=3)
    tasks = await desk.start(*numbers(3))
    for task in tasks:
        task.add_done_callback(lambda _: order.append("run"))
    await entered.wait()
    for task in tasks:
        task.cancel()
    assert await asyncio.gather(*tasks) == [Requeued()] * 3
    assert order == ["call", "run", "run", "run"]


async def test_the_call_runs_for_no_single_job() -> None:
    mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark", default="none")
    seen: list[tuple[Any, str]] = []

    async def set_mark(job: Job[Any], call_next: CallNext) -> Any:
        mark.set(job.id)
        return await call_next(job)

    async def handle(jobs: list[Job[int]]) -> None:
        seen.append((current_job.get(), mark.get()))

    await Desk(handle, batch=2, middleware=[set_mark]).outcomes(*numbers(2))
    assert seen == [(None, "none")]


async def test_an_effect_is_refused() -> None:
    async def handle(jobs: list[Job[int]]) -> None:
        async with jobs[0].effect("order-1", max_duration="1s"):
            raise AssertionError

    for outcome in await Desk(handle, batch=2).outcomes(*numbers(2), attempts=3):
        assert isinstance(outcome, Failed)
        assert "effect order-1 of job 1 was not begun: a batch has one call for many jobs" in outcome.reason


def test_a_batch_larger_than_the_worker_s_places_is_refused() -> None:
    handler = Handler.of(Calls(), batch=5)
    check_places([handler], "q", 5)
    with pytest.raises(InvalidOption, match=r"has batch=5, and the worker of queue 'q' runs 4 jobs at a time"):
        check_places([handler], "q", 4)


def test_what_cannot_be_a_batch_is_refused_where_it_is_declared() -> None:
    with pytest.raises(InvalidOption, match="batch"):
        Handler.of(Calls(), batch=0)
    with pytest.raises(InvalidOption, match="give batch=, too"):
        Handler.of(Calls(), wait="1s")
    with pytest.raises(InvalidOption, match="wait must be a duration"):
        Handler.of(Calls(), batch=2, wait="soon")
    with pytest.raises(HandlerError, match="a child process is given one job at a time"):
        Handler.of(numbers, "process", batch=2)

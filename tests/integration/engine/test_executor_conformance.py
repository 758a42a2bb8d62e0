"""What a handler may do, be given, return and raise is the same on every executor."""

import asyncio
import functools
from typing import Any

import pytest

from stockyard import HandlerError, Hooks, Job, JobFailed, JobState, Router
from tests.support import conforming_handlers as handlers
from tests.support.waiting import eventually
from tests.support.yard import Yard

PLACES = [("async", "async"), ("thread", "plain"), ("process", "plain"), ("process", "async")]
every_executor = pytest.mark.parametrize(("executor", "form"), PLACES[:3], ids=[e for e, _ in PLACES[:3]])
every_executor_and_form = pytest.mark.parametrize(
    ("executor", "form"), PLACES, ids=[f"{e}-{f}" for e, f in PLACES]
)


def router_of(executor: str, form: str, *names: str) -> Router:
    router = Router()
    for name in names:
        router.add(name, getattr(handlers, f"{name}_{form}"), executor=executor)  # type: ignore[arg-type]
    return router


REASONS = {
    "unprintable": "Unprintable",
    "no_text": "NoText",
    "unpicklable": "Unpicklable: code 5",
    "panic": "Panic: index out of bounds",
    "key_error": "KeyError: 'nope'",
    "surrogate": "ValueError: no such file: \\udcff",
    "unrecoverable": "card refused",
    "refused": "CardRefused: no funds",
    "server_error": "ServerError: theirs",
    "payload_error": "PayloadError: not ours",
    "group": "ExceptionGroup: several (2 sub-exceptions)",
    "cancelled": "the handler was cancelled",
    "chained": "ValueError: outer",
}
FINAL = ("unrecoverable", "refused", "payload_error")


@every_executor_and_form
async def test_errors_of_any_kind_are_reported_alike(yard: Yard, executor: str, form: str) -> None:
    queue = yard.queue(attempts=2)
    await yard.work(router_of(executor, form, *REASONS), concurrency=2)
    jobs = {name: await queue.add(name) for name in REASONS}
    for name, reason in REASONS.items():
        with pytest.raises(JobFailed) as failure:
            await jobs[name].wait_for_result(60)
        assert failure.value.reason == reason
        job = await jobs[name].refresh()
        assert job.attempts_made == (1 if name in FINAL else 2), name
        assert len(job.stacktrace) == job.attempts_made


@every_executor
async def test_what_is_no_result_and_no_signal_is_refused_alike(yard: Yard, executor: str, form: str) -> None:
    queue = yard.queue()
    said = {
        "not_json": "PayloadError: the result of 'not_json' is not JSON-able: .*object",
        "generator": "PayloadError: the result of 'generator' is not JSON-able: .*generator",
        "wrong_delay": "InvalidOption: .*soon",
        "half_made": "AttributeError: .*delay",
    }
    await yard.work(router_of(executor, form, *said), concurrency=2)
    for name, reason in said.items():
        with pytest.raises(JobFailed, match=reason):
            await (await queue.add(name)).wait_for_result(60)


@every_executor
async def test_a_payload_that_does_not_fit_is_refused_alike(yard: Yard, executor: str, form: str) -> None:
    queue = yard.queue(attempts=3)
    await yard.work(router_of(executor, form, "order"), concurrency=1)
    job = await queue.add("order", {"symbol": "BTC", "quantity": "many"})
    with pytest.raises(JobFailed, match=r"PayloadError: payload does not fit Order: .*quantity"):
        await job.wait_for_result(60)
    assert (await job.refresh()).attempts_made == 1


@every_executor_and_form
async def test_context_variables_of_one_job_are_not_seen_by_the_next(yard: Yard, executor: str, form: str) -> None:
    queue = yard.queue()
    await yard.work(router_of(executor, form, "context", "wrapped"), concurrency=1)
    for _ in range(2):
        assert await (await queue.add("context")).wait_for_result(60) == "nothing"
        assert await (await queue.add("wrapped")).wait_for_result(60) == "set by the wrapper"
    assert handlers.seen.get() == "nothing"


@every_executor_and_form
async def test_what_is_awaitable_is_awaited(yard: Yard, executor: str, form: str) -> None:
    queue = yard.queue()
    await yard.work(router_of(executor, form, "awaitable", "awaitable_twice"), concurrency=1)
    for name in ("awaitable", "awaitable_twice"):
        assert await (await queue.add(name)).wait_for_result(60) == "awaited"


@every_executor_and_form
async def test_a_run_that_moves_its_job_uses_up_no_attempt(yard: Yard, executor: str, form: str) -> None:
    queue = yard.queue()
    await yard.work(router_of(executor, form, "moved"), concurrency=1)
    job = await queue.add("moved")
    assert await job.wait_for_result(60) == 3
    assert (await job.refresh()).attempts_made == 1


@pytest.mark.parametrize("executor", [None, "async", "thread", "process"])
@pytest.mark.parametrize(
    "handler",
    [
        handlers.generates,
        handlers.generates_async,
        handlers.Generates(),
        functools.partial(handlers.generates),
    ],
)
async def test_generators_are_refused_where_they_are_declared(yard: Yard, executor: Any, handler: Any) -> None:
    yard.queue()
    with pytest.raises(HandlerError, match="is a generator"):
        yard.app.worker("q", handler, executor=executor)


@pytest.mark.parametrize(
    ("executor", "name"),
    [
        ("async", "hang_async"),
        ("thread", "hang_plain"),
        ("thread", "hang_wrapped_plain"),
        ("process", "hang_plain"),
        ("process", "hang_async"),
    ],
)
async def test_a_timeout_is_the_handler_s_alone(yard: Yard, executor: Any, name: str) -> None:
    """It starts with the function: what a middleware waits for does not count."""
    opened = asyncio.Event()

    async def late(job: Job[Any], call_next: Any) -> Any:
        if not job.data:
            await opened.wait()
        return await call_next(job)

    queue = yard.queue()
    await yard.work(getattr(handlers, name), executor=executor, concurrency=2, middleware=[late])
    held = await queue.add("x", 0, timeout="1s")
    with pytest.raises(JobFailed, match=r"^job \d+ failed: JobTimeout: .*tim"):
        await (await queue.add("x", 30, timeout="1s")).wait_for_result(60)
    opened.set()
    assert await held.wait_for_result(60) is None


@every_executor_and_form
async def test_a_handler_of_the_payload_alone_is_given_it(yard: Yard, executor: str, form: str) -> None:
    async def around(job: Job[Any], call_next: Any) -> Any:
        job.data.quantity += 1
        return await call_next(job)

    queue = yard.queue()
    await yard.work(router_of(executor, form, "quantity"), middleware=[around], concurrency=1)
    assert await (await queue.add("quantity", {"symbol": "BTC", "quantity": 3})).wait_for_result(60) == 4


# --- What user code around the handler sees ---


@every_executor
async def test_middleware_and_hooks_see_typed_data_and_results(yard: Yard, executor: str, form: str) -> None:
    told: list[Any] = []

    async def around(job: Job[Any], call_next: Any) -> Any:
        told.append(("before", job.data))
        result = await call_next(job)
        told.append(("after", job.data, result))
        return result

    hooks = Hooks(
        started=lambda job: told.append(("started", job.data)),
        completed=lambda job, result: told.append(("completed", job.data, result)),
        failed=lambda job, error: told.append(("failed", job.data)),
    )
    queue = yard.queue()
    await yard.work(
        router_of(executor, form, "order", "order_fails"), middleware=[around], hooks=hooks, concurrency=1
    )
    order, ack = handlers.Order("BTC", 3), handlers.Ack("3 BTC")
    assert await (await queue.add("order", order)).wait_for_result(60) == {"order": "3 BTC"}
    await eventually(lambda: len(told) == 4)
    assert told == [
        ("started", order),
        ("before", order),
        ("after", order, ack),
        ("completed", order, ack),
    ]
    told.clear()
    await queue.add("order_fails", order)
    await eventually(lambda: len(told) == 3)
    assert told == [("started", order), ("before", order), ("failed", order)]
    told.clear()
    # What fits no type is seen as plain values.
    misfit = {"symbol": "BTC"}
    await queue.add("order", misfit)
    await queue.add("unknown", misfit)
    await eventually(lambda: len(told) == 5)
    assert told == [
        ("started", misfit),
        ("before", misfit),
        ("failed", misfit),
        ("started", misfit),
        ("failed", misfit),
    ]


@every_executor
async def test_hooks_alone_see_typed_data_and_results(yard: Yard, executor: str, form: str) -> None:
    told: list[Any] = []
    hooks = Hooks(
        completed=lambda job, result: told.append((job.data, result)),
        failed=lambda job, error: told.append(job.data),
    )
    queue = yard.queue()
    await yard.work(router_of(executor, form, "order", "order_fails", "updates"), hooks=hooks, concurrency=1)
    order = handlers.Order("BTC", 3)
    for name in ("order", "order_fails"):
        await queue.add(name, order)
    await queue.add("order", {"symbol": "BTC"})
    await eventually(lambda: len(told) == 3)
    assert told == [(order, handlers.Ack("3 BTC")), order, {"symbol": "BTC"}]
    await queue.add("updates", order)
    await eventually(lambda: len(told) == 4)
    data, _ = told[-1]
    assert data in (handlers.Order("ETH", 2), {"symbol": "ETH", "quantity": 2})


@every_executor
async def test_a_middleware_may_replace_or_mend_the_data(yard: Yard, executor: str, form: str) -> None:
    async def around(job: Job[Any], call_next: Any) -> Any:
        if job.id == "replaced":
            job.data = handlers.Order("ETH", 1)
        elif job.id == "changed":
            job.data.quantity = 7
        elif job.id == "mended":
            job.data["quantity"] = 9
        return await call_next(job)

    queue = yard.queue()
    await yard.work(router_of(executor, form, "order"), middleware=[around], concurrency=1)
    for job_id, data, result in (
        ("replaced", {"symbol": "BTC", "quantity": 3}, "1 ETH"),
        ("changed", {"symbol": "BTC", "quantity": 3}, "7 BTC"),
        ("mended", {"symbol": "BTC"}, "9 BTC"),
        ("untouched", {"symbol": "BTC", "quantity": 3}, "3 BTC"),
    ):
        job = await queue.add("order", data, job_id=job_id)
        assert await job.wait_for_result(60) == {"order": result}
        assert (await job.refresh()).data == data


@every_executor
async def test_hooks_see_the_job_in_its_final_state(yard: Yard, executor: str, form: str) -> None:
    told: dict[str, Any] = {}
    router = router_of(executor, form, "order", "key_error")
    hooks = Hooks(
        completed=lambda job, result: told.update(completed=job),
        failed=lambda job, error: told.update(failed=job),
        retried=lambda job, error, delay: told.update(retried=(job.attempts_made, job.failed_reason)),
    )
    queue = yard.queue(attempts=2)
    await yard.work(router, hooks=hooks, concurrency=1)
    done, failed = await queue.add("order", handlers.Order("BTC", 3)), await queue.add("key_error")
    await eventually(lambda: len(told) == 3)
    assert told["retried"] == (1, "KeyError: 'nope'")
    for job, kind in ((done, "completed"), (failed, "failed")):
        stored, shown = await job.refresh(), told[kind]
        for name in ("attempts_made", "attempts_started", "failed_reason", "stacktrace", "finished_on"):
            assert getattr(shown, name) == getattr(stored, name), name
        assert shown.processed_on is not None
    assert told["completed"].return_value == handlers.Ack("3 BTC")
    assert told["failed"].attempts_made == 2


@every_executor
async def test_a_job_failed_for_stalling_is_shown_typed_and_final(
    yard: Yard, raw: Any, prefix: str, executor: str, form: str
) -> None:
    queue = yard.queue()
    order = handlers.Order("BTC", 3)
    job = await queue.add("order", order)
    raw.hset(f"{prefix}:q:{job.id}", "defa", "job stalled more than allowable limit")
    told: list[Any] = []
    hooks = Hooks(failed=lambda job, error: told.append((job.data, job.attempts_made, job.failed_reason)))
    await yard.work(router_of(executor, form, "order"), hooks=hooks, concurrency=1)
    await eventually(lambda: told)
    assert told == [(order, 1, "job stalled more than allowable limit")]
    assert await job.state() is JobState.FAILED


@every_executor
async def test_a_job_completed_after_a_failure_shows_no_reason(yard: Yard, executor: str, form: str) -> None:
    shown: list[Any] = []
    queue = yard.queue(attempts=2)
    hooks = Hooks(completed=lambda job, result: shown.append(job.failed_reason))

    async def fail_once(job: Job[Any], call_next: Any) -> Any:
        if job.attempt == 1:
            raise ValueError("once")
        shown.append(job.failed_reason)
        return await call_next(job)

    await yard.work(router_of(executor, form, "order"), hooks=hooks, middleware=[fail_once], concurrency=1)
    job = await queue.add("order", handlers.Order("BTC", 3))
    await job.wait_for_result(60)
    await eventually(lambda: len(shown) == 2)
    assert shown == ["ValueError: once", None]
    assert (await job.refresh()).failed_reason is None

"""One handler on one payload, without a server."""

import asyncio
from typing import Any

import msgspec
import pytest

from stockyard import ConfigError, Delay, HandlerError, Job, JobTimeout, PayloadError
from stockyard.effects import NotApplied
from stockyard.testing import run_job


class Order(msgspec.Struct):
    symbol: str
    quantity: int


class Receipt(msgspec.Struct):
    number: int


async def submit(job: Job[Order]) -> Receipt:
    await job.log(f"submits {job.data.symbol}")
    await job.update_progress({"done": 1})
    return Receipt(job.data.quantity * job.attempt)


async def test_payload_and_result_are_written_and_read_again() -> None:
    run = await run_job(submit, {"symbol": "BTC", "quantity": 2}, attempt=3)
    assert run.result == Receipt(6)
    assert run.logs == ["submits BTC"]
    assert run.progress == [{"done": 1}]
    assert run.job.data == Order("BTC", 2)
    assert (await run_job(submit, Order("BTC", 2))).result == Receipt(2)


async def test_what_is_no_json_is_refused_as_in_production() -> None:
    with pytest.raises(PayloadError, match="quantity"):
        await run_job(submit, {"symbol": "BTC", "quantity": "two"})
    with pytest.raises(PayloadError):
        await run_job(submit, object())

    async def returns_a_set(job: Job[Any]) -> Any:
        return object()

    with pytest.raises(PayloadError):
        await run_job(returns_a_set)


@pytest.mark.parametrize("error", [ValueError("no"), Delay("5s")])
async def test_what_the_handler_raises_is_raised(error: Exception) -> None:
    async def fails(job: Job[Any]) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await run_job(fails)
    assert caught.value is error


async def test_plain_functions_payloads_and_batches() -> None:
    def double(order: Order) -> int:
        return 2 * order.quantity

    async def batch(orders: list[Order]) -> list[int]:
        return [order.quantity for order in orders]

    assert (await run_job(double, Order("A", 2))).result == 4
    with pytest.raises(PayloadError):
        await run_job(batch, Order("A", 2))


async def test_a_batch_handler_is_sent_to_drain() -> None:
    async def write(jobs: list[Job[int]]) -> None:
        """Do nothing."""

    with pytest.raises(
        HandlerError, match=r"takes a list of jobs, and run_job runs one job: .* `await drain\(app\)`"
    ):
        await run_job(write, [1, 2])

    wrong: Any = lambda job, other: None  # noqa: E731
    with pytest.raises(HandlerError, match="must take one argument"):
        await run_job(wrong, 1)


async def test_a_thread_uses_its_job_without_a_loop() -> None:
    def logs(job: Job[Any]) -> list[str]:
        job.sync.log("one")
        return job.sync.logs()

    assert (await run_job(logs)).result == ["one"]


async def test_effects_begin_and_how_they_ended_is_noted() -> None:
    async def places(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="1s") as effect:
            effect.record({"id": 1})
        async with job.effect("second", max_duration="1s") as effect:
            raise NotApplied("refused")

    with pytest.raises(NotApplied):
        await run_job(places, "A1")

    async def place(job: Job[str]) -> int:
        async with job.effect(job.data, max_duration="1s") as effect:
            effect.record({"id": 1})
        return effect.started_on

    run = await run_job(place, "A1", clock=lambda: 1_000)
    assert (run.effects, run.result) == ({"A1": "committed"}, 1_000)


async def test_children_options_and_middleware() -> None:
    async def around(job: Job[Any], call_next: Any) -> Any:
        return [await call_next(job)]

    async def total(job: Job[Any]) -> Any:
        return sum((await job.children_values()).values()), job.options.priority, job.id

    run = await run_job(
        total, children={"a": 1, "b": 2}, middleware=[around], name="total", priority=2, job_id="T1"
    )
    assert run.result == [[3, 2, "T1"]]


async def test_its_timeout_holds() -> None:
    async def hangs(job: Job[Any]) -> None:
        await asyncio.Event().wait()

    with pytest.raises(JobTimeout):
        await run_job(hangs, timeout="10ms")


async def test_what_needs_a_queue_says_so() -> None:
    async def again(job: Job[Any]) -> None:
        await job.retry()

    with pytest.raises(ConfigError, match=r"cannot use retry\(\) of its job: add the job to a queue"):
        await run_job(again)

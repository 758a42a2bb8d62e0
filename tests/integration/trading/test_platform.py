"""The platform's public face, as its documentation writes it."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from stockyard import App, Job, JobProcessor, UnknownQueue
from stockyard.trading import (
    PLATFORM,
    QueueName,
    QueuePriority,
    create_worker,
    default_app,
    get_all_queues_health,
    get_queue,
    get_queue_health,
    use_app,
)
from tests.support.waiting import eventually


class RecalculatePosition(msgspec.Struct):
    user_id: str
    symbol: str
    fill_id: str


@pytest.fixture
async def app(redis_url: str, prefix: str) -> AsyncIterator[App]:
    async with App(PLATFORM, redis=redis_url, prefix=prefix) as app:
        previous = use_app(app)
        yield app
        use_app(previous)


@pytest.mark.usefixtures("app")
async def test_the_documented_use_works_as_written() -> None:
    queue = get_queue(QueueName.PORTFOLIO_HIGH_PRIORITY)
    added = await queue.add(
        "recalculate-position", {"user_id": "user-123", "symbol": "BTCUSDT", "fill_id": "fill-456"}
    )
    seen: list[RecalculatePosition] = []

    async def recalculate(job: Job[RecalculatePosition]) -> None:
        seen.append(job.data)

    processor: JobProcessor[RecalculatePosition] = recalculate
    worker = create_worker(QueueName.PORTFOLIO_HIGH_PRIORITY, processor)
    running = asyncio.create_task(worker.run())
    await added.wait_for_result("25s")
    await worker.stop()
    await running

    assert seen == [RecalculatePosition("user-123", "BTCUSDT", "fill-456")]
    health = await get_queue_health(QueueName.PORTFOLIO_HIGH_PRIORITY)
    assert (health.name, health.waiting, health.active, health.completed, health.failed, health.delayed) == (
        "portfolio:high_priority",
        0,
        0,
        1,
        0,
        0,
    )


@pytest.mark.usefixtures("app")
async def test_health_of_all_queues_comes_in_the_order_declared() -> None:
    await get_queue("strategy:signals").add("evaluate-signals")
    everything = await get_all_queues_health()
    assert [health.name for health in everything] == list(QueueName)
    assert [health.waiting for health in everything] == [0, 0, 0, 0, 1, 0, 0]


@pytest.mark.usefixtures("app")
async def test_a_critical_job_runs_before_the_default_of_its_queue() -> None:
    queue = get_queue(QueueName.PORTFOLIO_HIGH_PRIORITY)
    await queue.add_many([("fill",), ("fill",), ("query", None, {"priority": QueuePriority.CRITICAL})])
    order: list[str] = []

    async def note(job: Job[object]) -> None:
        order.append(job.name)

    worker = create_worker(QueueName.PORTFOLIO_HIGH_PRIORITY, note, concurrency=1)
    running = asyncio.create_task(worker.run())
    await eventually(lambda: len(order) == 3)
    await worker.stop()
    await running
    assert order == ["query", "fill", "fill"]


@pytest.mark.usefixtures("app")
async def test_an_unknown_queue_is_refused_by_name() -> None:
    with pytest.raises(UnknownQueue, match="portfolio:high_priority"):
        get_queue("portfolio:high_priorty")


async def test_the_default_app_is_one_and_can_be_reset() -> None:
    previous = use_app(None)
    try:
        first = default_app()
        assert default_app() is first
        assert use_app(None) is first
        assert default_app() is not first
    finally:
        use_app(previous)

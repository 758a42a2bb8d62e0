"""Every queue of the platform in use: adding, workers, priorities, retries, health, alerts.

    python examples/queue_usage.py

Uses the server of REDIS_URL, under the key prefix ``queue-usage``; without REDIS_URL it starts an embedded one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from typing import Any

from stockyard import App, Backoff, Job, JobFailed, JobProcessor, Router, UnrecoverableError, embedded
from stockyard.alerts import evaluate_alerts
from stockyard.trading import (
    ALERT_RULES,
    PLATFORM,
    EvaluateSignals,
    IngestCandles,
    Order,
    PortfolioQuery,
    PriceUpdate,
    QueueName,
    QueuePriority,
    RecalculatePosition,
    Reconcile,
    RunBacktest,
    create_worker,
    get_all_queues_health,
    get_queue,
    get_queue_health,
    use_app,
)


@asynccontextmanager
async def working(name: QueueName, processor: JobProcessor[Any] | Router, **options: Any) -> Any:
    """Run a worker as long as the block lasts."""
    worker = create_worker(name, processor, **options)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.stop()
        await running


async def portfolio_high_priority() -> None:
    """A fill, and a user who may not wait: one worker, two kinds of job, the critical one first."""
    queue = get_queue(QueueName.PORTFOLIO_HIGH_PRIORITY)
    fill = await queue.add("recalculate-position", RecalculatePosition("user-123", "BTCUSDT", "fill-456"))
    query = await queue.add("answer-query", PortfolioQuery("user-123"), priority=QueuePriority.CRITICAL)
    router = Router()

    @router.handler("recalculate-position")
    async def recalculate(job: Job[RecalculatePosition]) -> str:
        print("  position of", job.data.symbol, "moved by", job.data.fill_id)
        return job.data.fill_id

    @router.handler("answer-query")
    async def answer(job: Job[PortfolioQuery]) -> dict[str, float]:
        print("  answering", job.data.user_id)
        return {"BTCUSDT": 0.5}

    async with working(QueueName.PORTFOLIO_HIGH_PRIORITY, router, concurrency=1):
        print("  query:", await query.wait_for_result("10s"), " fill:", await fill.wait_for_result("10s"))


async def portfolio_low_priority() -> None:
    """Many price updates in one round trip; they have the queue's own low priority."""
    queue = get_queue(QueueName.PORTFOLIO_LOW_PRIORITY)
    jobs = await queue.add_many(
        ("update-price", PriceUpdate("BTCUSDT", date(2024, 1, day), 42_000.0 + day)) for day in range(1, 6)
    )

    async def update(job: Job[PriceUpdate]) -> float:
        return job.data.price

    async with working(QueueName.PORTFOLIO_LOW_PRIORITY, update):
        prices = await asyncio.gather(*(job.wait_for_result("10s") for job in jobs))
    print("  prices:", prices, " priority:", jobs[0].priority)


async def order_submission() -> None:
    """An order named by what it is for: asked for twice, it is added once. A lost connection is tried again."""
    queue = get_queue(QueueName.EXECUTION_ORDER_SUBMISSION)
    order = Order("order-cross-BTCUSDT-2024-01-05-buy", "BTCUSDT", "buy", 1, 42_005.0, date(2024, 1, 5))
    # The platform waits 1 s, 2 s, 4 s between its five attempts; this example has no time for that.
    added = await queue.add("submit-order", order, job_id=order.client_order_id, backoff=Backoff.fixed("50ms"))
    again = await queue.add("submit-order", order, job_id=order.client_order_id)

    async def submit(job: Job[Order]) -> str:
        if job.attempt == 1:
            raise ConnectionError("the exchange hung up")
        return f"acknowledged at attempt {job.attempt} of {job.options.attempts}"

    async with working(QueueName.EXECUTION_ORDER_SUBMISSION, submit):
        print("  same job:", added.id == again.id, " result:", await added.wait_for_result("10s"))


async def reconciliation() -> None:
    """A run that plans the next one, under a name of its own, so that it is planned once."""
    queue = get_queue(QueueName.EXECUTION_RECONCILIATION)
    first = await queue.add("reconcile", Reconcile(1), job_id="reconcile-1")

    async def reconcile(job: Job[Reconcile]) -> str:
        following = Reconcile(job.data.run + 1)
        await queue.add("reconcile", following, job_id=f"reconcile-{following.run}", delay="5m")
        return "the books agree"

    async with working(QueueName.EXECUTION_RECONCILIATION, reconcile):
        print(" ", await first.wait_for_result("10s"))
    print("  planned for later:", (await get_queue_health(QueueName.EXECUTION_RECONCILIATION)).delayed)


async def strategy_signals() -> None:
    """A mistake in the data cannot be cured by trying again: fail now, with the reason kept."""
    job = await get_queue(QueueName.STRATEGY_SIGNALS).add("evaluate-signals", EvaluateSignals("NOSUCH", 0))

    async def evaluate_signals(job: Job[EvaluateSignals]) -> None:
        raise UnrecoverableError(f"there are no candles of {job.data.symbol}")

    async with working(QueueName.STRATEGY_SIGNALS, evaluate_signals):
        try:
            await job.wait_for_result("10s")
        except JobFailed as failure:
            print("  failed without a retry:", failure.reason)


def sum_of_squares(job: Job[RunBacktest]) -> int:
    """Stand in for a backtest: CPU-bound, so it runs in a child process, which finds it by this name."""
    job.sync.update_progress({"percent": 50})
    return sum(number * number for number in range(job.data.fast * job.data.slow))


async def backtest_jobs() -> None:
    """A plain function in a child process: it keeps no other job waiting, and can be killed."""
    job = await get_queue(QueueName.BACKTEST_JOBS).add(
        "run-backtest", RunBacktest(("BTCUSDT",), 10, 30), timeout="30s"
    )
    async with working(QueueName.BACKTEST_JOBS, sum_of_squares, concurrency=1):
        print("  result:", await job.wait_for_result("30s"), " progress:", (await job.refresh()).progress)


async def candle_ingestion() -> None:
    """A job's own log; a blocking library would run in a thread if the handler were a plain def."""
    job = await get_queue(QueueName.EXCHANGE_CANDLE_INGESTION).add("ingest-candles", IngestCandles("BTCUSDT", 0))

    async def ingest(job: Job[IngestCandles]) -> int:
        await job.log(f"fetched chunk {job.data.chunk} of {job.data.symbol}")
        return 100

    async with working(QueueName.EXCHANGE_CANDLE_INGESTION, ingest):
        print("  candles:", await job.wait_for_result("10s"), " log:", await job.logs())


async def health_and_alerts() -> None:
    """How the seven queues are, and what needs attention."""
    healths = await get_all_queues_health()
    for health in healths:
        print(f"  {health.name:27} waiting {health.waiting}  completed {health.completed}  failed {health.failed}")
    alerts = evaluate_alerts(ALERT_RULES, healths)
    print("  alerts:", [alert.message for alert in alerts] or "none")


SECTIONS: list[Callable[[], Any]] = [
    portfolio_high_priority,
    portfolio_low_priority,
    order_submission,
    reconciliation,
    strategy_signals,
    backtest_jobs,
    candle_ingestion,
    health_and_alerts,
]


async def main() -> None:
    async with AsyncExitStack() as ending:
        url = os.environ.get("REDIS_URL") or ending.enter_context(embedded.ephemeral()).url
        use_app(await ending.enter_async_context(App(PLATFORM, redis=url, prefix="queue-usage")))
        for section in SECTIONS:
            print(section.__name__.replace("_", " "))
            await section()


# A child process imports this file to find its handler: only the program itself may run the examples.
if __name__ == "__main__":
    asyncio.run(main())

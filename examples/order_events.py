"""Order events: what happens in a queue, published on a durable channel for a ledger that misses none of it."""

import asyncio
from datetime import date

import msgspec

from stockyard import App, Channel, Job
from stockyard.events import CompletedEvent, FailedEvent
from stockyard.pubsub import Delivery
from stockyard.trading import Order, QueueName, declare_platform


class Ended(msgspec.Struct, frozen=True):
    """An order's end, as other services see it."""

    job_id: str
    is_accepted: bool
    said: str


ends = Channel("orders:ended", Ended, durable=True, keep="1h", max_len=100_000)
ORDERS = [Order(f"A1-{number}", "BTCUSDT", "buy", number, 64_000.0, date(2026, 1, 5)) for number in (1, 2, 30)]


async def submit(job: Job[Order]) -> str:
    """Stand in for the exchange."""
    if job.data.quantity > 10:
        raise ValueError(f"{job.data.quantity} is more than the account may")
    return f"accepted {job.data.client_order_id}"


async def forward(app: App, ready: asyncio.Event) -> None:
    """Publish the queue's events on the channel."""
    channel = app.channel(ends)
    async with app.events(QueueName.EXECUTION_ORDER_SUBMISSION, only=(CompletedEvent, FailedEvent)) as events:
        ready.set()
        async for event in events:
            match event:
                case CompletedEvent(job_id=job_id, return_value=said):
                    await channel.publish(Ended(job_id, True, said))
                case FailedEvent(job_id=job_id, failed_reason=reason):
                    await channel.publish(Ended(job_id, False, reason))


async def main() -> None:
    platform = declare_platform(order_rate=None)
    async with App(platform, redis="embedded://") as app:
        ready, all_booked = asyncio.Event(), asyncio.Event()
        booked: list[Ended] = []

        async def book(message: Delivery[Ended]) -> None:
            """The ledger: what is not acknowledged, by returning, comes again."""
            booked.append(message.value)
            if len(booked) == len(ORDERS):
                all_booked.set()

        worker = app.worker(QueueName.EXECUTION_ORDER_SUBMISSION, submit)
        tasks = [
            asyncio.create_task(each)
            for each in (worker.run(), forward(app, ready), app.channel(ends).handle("ledger", book))
        ]
        await ready.wait()
        queue = app.queue(QueueName.EXECUTION_ORDER_SUBMISSION)
        await queue.add_many([("submit", order, {"attempts": 1}) for order in ORDERS])
        await all_booked.wait()
        for each in sorted(booked, key=lambda each: each.said):
            print("booked:" if each.is_accepted else "refused:", each.said)
        await worker.stop()
        for task in tasks[1:]:
            task.cancel()
        await asyncio.wait(tasks)


if __name__ == "__main__":
    asyncio.run(main())

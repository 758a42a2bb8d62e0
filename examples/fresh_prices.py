"""A desk that works on the present: prices coalesce by symbol, quotes expire, and news waits in a bounded queue.

Run it with ``python examples/fresh_prices.py``; it starts a server of its own.
"""

import asyncio
from typing import Any

from stockyard import App, Hooks, Job, Topology
from stockyard.errors import QueueFull

desk = Topology("desk")
prices = desk.queue("prices", coalesce="latest")
quotes = desk.queue("quotes", expires_in="1ms")
news = desk.queue("news", max_length=3)


@prices.handler("price")
async def show_price(job: Job[dict[str, Any]]) -> None:
    """Show a price, and how many older ones it replaced."""
    print(f"{job.data['symbol']} {job.data['price']:,} in place of {job.replaced} older prices")


@quotes.handler("quote")
async def answer(job: Job[dict[str, Any]]) -> None:
    """Never called here: the quotes have expired."""
    print("answered too late")


async def main() -> None:
    """Add more than anybody needs, then work on what is left."""
    expired = asyncio.Event()
    async with App(desk, redis="embedded://") as app:
        ticks = [("BTCUSDT", "ETHUSDT")[tick % 2] for tick in range(1000)]
        added = await app.queue("prices").add_many(
            ("price", {"symbol": symbol, "price": 64_000 + tick}, {"coalesce": symbol})
            for tick, symbol in enumerate(ticks)
        )
        await app.queue("quotes").add("quote", {"bid": 64_000})
        try:
            await app.queue("news").add_many([("item", number) for number in range(5)])
        except QueueFull:
            print(f"{await app.queue('news').count()} news wait, and no more")

        workers = [
            app.worker("prices", handle_signals=False),
            app.worker("quotes", handle_signals=False, hooks=Hooks(expired=lambda job: expired.set())),
        ]
        running = [asyncio.create_task(worker.run()) for worker in workers]
        await added[-1].wait_for_result(30)
        await asyncio.wait_for(expired.wait(), 30)
        print("the quote has expired")
        for worker in workers:
            await worker.stop()
        await asyncio.gather(*running)


if __name__ == "__main__":
    asyncio.run(main())

"""Signals in order per symbol: one at a time for each, symbols beside each other, and a symbol that is parked."""

import asyncio

from stockyard import App, Job, Topology
from stockyard.events import CustomEvent

desk = Topology("desk")
signals = desk.queue("strategy:signals", ordered=True, on_poison="park", concurrency=10)
at_once: set[str] = set()
ran: list[str] = []
last: dict[str, Job[tuple[str, str]]] = {}


@signals.handler
async def signal(job: Job[tuple[str, str]]) -> None:
    """Run one signal; a symbol that is not traded is refused."""
    symbol, side = job.data
    assert symbol not in at_once, f"two signals of {symbol} at a time"
    at_once.add(symbol)
    try:
        await asyncio.sleep(0.01)
        if symbol == "NOSUCH":
            raise ValueError("NOSUCH is not traded")
        ran.append(f"{symbol} {side}")
    finally:
        at_once.remove(symbol)


async def main() -> None:
    async with App(desk, redis="embedded://") as app:
        queue = app.queue("strategy:signals")
        for side in ("buy", "hold", "sell"):
            for symbol in ("NOSUCH", "BTCUSDT", "ETHUSDT"):
                last[symbol] = await queue.add("signal", (symbol, side), key=symbol)

        worker = app.worker("strategy:signals")
        working = asyncio.create_task(worker.run())
        await asyncio.gather(*(last[symbol].wait_for_result(20) for symbol in ("BTCUSDT", "ETHUSDT")))
        async for event in app.events("strategy:signals", after="0-0"):
            if isinstance(event, CustomEvent) and event.name == "key":
                break
        for symbol in ("BTCUSDT", "ETHUSDT"):
            print(f"{symbol}: {', '.join(each.split()[1] for each in ran if each.startswith(symbol))}")

        (parked,) = await queue.keys.list("parked")
        print(f"{parked.key} is parked, {parked.length} wait behind it: {parked.reason}")
        for job_id in await queue.keys.waiting("NOSUCH"):
            await queue.remove(job_id)
        await queue.keys.skip("NOSUCH")
        print(f"keys with jobs: {len(await queue.keys.list())}")
        await worker.stop()
        await working


if __name__ == "__main__":
    asyncio.run(main())

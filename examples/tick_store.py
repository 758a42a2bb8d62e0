"""Ticks stored by one insert for many: a batch handler whose jobs end one by one; on a server of its own."""

import asyncio
import sqlite3

import msgspec

from stockyard import App, Job, JobFailed, Topology

desk = Topology("desk")
ticks = desk.queue("market:ticks", concurrency=500)


class Tick(msgspec.Struct):
    """A price at a moment."""

    symbol: str
    price: float
    moment: int


database = sqlite3.connect(":memory:", check_same_thread=False)
database.execute("CREATE TABLE ticks (symbol TEXT, price REAL, moment INTEGER)")
calls: list[int] = []


@ticks.handler("tick", batch=500, wait="50ms")
def store(jobs: list[Job[Tick]]) -> list[Exception | None]:
    """Insert the ticks that have a price, in one transaction; a plain function runs in a thread."""
    calls.append(len(jobs))
    good = [job.data for job in jobs if job.data.price > 0]
    with database:
        database.executemany("INSERT INTO ticks VALUES (?, ?, ?)", map(msgspec.structs.astuple, good))
    return [None if job.data.price > 0 else ValueError(f"{job.data.symbol} has no price") for job in jobs]


async def main() -> None:
    async with App(desk, redis="embedded://") as app:
        queue = app.queue("market:ticks")
        feed = [("tick", Tick("BTCUSDT", 64_000.0 + number, number)) for number in range(1_000)]
        jobs = await queue.add_many([*feed, ("tick", Tick("ETHUSDT", 0.0, 1_000))])
        worker = app.worker("market:ticks")
        working = asyncio.create_task(worker.run())
        for job in jobs[:-1]:
            await job.wait_for_result("30s")
        try:
            await jobs[-1].wait_for_result("30s")
        except JobFailed as error:
            print(error.reason)
        await worker.stop()
        await working
    (stored,) = database.execute("SELECT count(*) FROM ticks").fetchone()
    print(f"{stored:,} ticks stored, by fewer than 50 inserts: {len(calls) < 50}")


if __name__ == "__main__":
    asyncio.run(main())

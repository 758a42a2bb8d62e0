"""An outbox and an inbox: an order and its job are committed together, and a job that runs twice books once.

    python examples/outbox_orders.py

The service's database is SQLite here; for PostgreSQL, change the URL to ``postgresql+psycopg://…``.
"""

import asyncio
import logging
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from stockyard import App, Job, Topology
from stockyard.outbox import Inbox, Outbox, OutboxRelay


class Order(msgspec.Struct, frozen=True):
    """What a customer wants."""

    id: str
    quantity: int


shop = Topology("shop")
submissions = shop.queue("submissions", attempts=3)
outbox, inbox = Outbox(shop), Inbox()


class TooLarge(Exception):
    """The order is more than the account may."""


async def place(engine: AsyncEngine, order: Order) -> None:
    """Store an order and its job, or neither."""
    async with AsyncSession(engine) as session, session.begin():
        await session.execute(text("INSERT INTO orders VALUES (:id)"), {"id": order.id})
        await outbox.add(session, "submissions", "submit", order)
        if order.quantity > 10:
            raise TooLarge(order.id)


async def main(folder: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'shop.db'}")
    await outbox.create_table(engine)
    await inbox.create_table(engine)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE orders (id TEXT)"))
        await connection.execute(text("CREATE TABLE fills (order_id TEXT)"))
    runs: list[str] = []
    all_done = asyncio.Event()

    @submissions.handler
    async def submit(job: Job[Order]) -> Any:
        runs.append(job.data.id)
        async with AsyncSession(engine) as session, session.begin(), inbox.once(session, job) as entry:
            if entry.is_first:
                await session.execute(text("INSERT INTO fills VALUES (:id)"), {"id": job.data.id})
                entry.result = f"filled {job.data.id}"
        if runs == ["A1"]:
            raise ConnectionError("the worker is lost after its commit")
        if len(runs) == 3:
            all_done.set()
        print(entry.result)
        return entry.result

    for order in (Order("A1", 2), Order("A2", 20), Order("A3", 5)):
        try:
            await place(engine, order)
        except TooLarge as error:
            print(f"refused {error}: neither the order nor its job is stored")

    async with App(shop, "embedded://") as app:
        relay = OutboxRelay(app, engine, outbox)
        await relay.start()
        worker = app.worker("submissions", concurrency=1, handle_signals=False)
        running = asyncio.create_task(worker.run())
        await all_done.wait()
        await worker.stop()
        await running
        await relay.stop()
    async with engine.connect() as connection:
        orders = (await connection.execute(text("SELECT id FROM orders ORDER BY id"))).scalars().all()
        fills = (await connection.execute(text("SELECT order_id FROM fills ORDER BY order_id"))).scalars().all()
    print(f"orders {', '.join(orders)}; fills {', '.join(fills)}; runs {len(runs)}")
    await engine.dispose()


if __name__ == "__main__":
    logging.disable()
    with tempfile.TemporaryDirectory() as data:
        asyncio.run(main(Path(data)))

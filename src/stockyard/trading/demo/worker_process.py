"""One worker process of the demo: a worker for each queue, until its parent is done or gone."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import uvloop

from stockyard._aio.parent_watch import watch_parent
from stockyard.app import App
from stockyard.config import Settings
from stockyard.trading.demo.desk import Desk
from stockyard.trading.demo.exchange import PaperExchange
from stockyard.trading.demo.faults import Faults
from stockyard.trading.demo.pipeline import Pipeline
from stockyard.trading.queues import QueueName, declare_platform

LOCK = "2s"
"""A killed process's jobs shall come back within the demo, not after the platform's half minute."""

ORDER_RATE = "30/s"
"""What the paper exchange allows; the platform's default would make the demo last a minute."""


class Assignment(msgspec.Struct, frozen=True):
    """What the parent says on standard input, because the address may hold a password.

    Attributes:
        name: of the workers.
        settings: the server and the key prefix.
        folder: holds the desk's and the exchange's files.
        chunk: candles of one ingestion.
        pause: seconds between two chunks of a symbol.
        fault_seed: decides which runs fail; None for none.
    """

    name: str
    settings: Settings
    folder: str
    chunk: int
    pause: float
    fault_seed: int | None


async def work(assignment: Assignment) -> None:
    """Serve all seven queues until SIGTERM, or until standard input ends."""
    folder = Path(assignment.folder)
    desk, exchange = Desk(folder / "desk.db"), PaperExchange(folder / "exchange.db")
    async with App(declare_platform(order_rate=ORDER_RATE), settings=assignment.settings) as app:
        pipeline = Pipeline(app, desk=desk, exchange=exchange, chunk=assignment.chunk, pause=assignment.pause)
        middleware = [] if assignment.fault_seed is None else [Faults(assignment.fault_seed)]
        workers = [
            app.worker(
                queue,
                router,
                name=assignment.name,
                lock=LOCK,
                middleware=middleware,
                # Two processes share two cores.
                concurrency=1 if queue is QueueName.BACKTEST_JOBS else None,
            )
            for queue, router in pipeline.routers().items()
        ]

        def stop() -> None:
            for worker in workers:
                worker.request_stop()

        watch_parent(on_gone=stop)
        await asyncio.gather(*(worker.run(handle_signals=True) for worker in workers))
    desk.close()
    exchange.close()


def main() -> None:
    """Read the assignment and serve."""
    length = int.from_bytes(sys.stdin.buffer.read(4), "big")
    assignment = msgspec.msgpack.decode(sys.stdin.buffer.read(length), type=Assignment)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(assignment))


if __name__ == "__main__":
    main()

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
from stockyard.topology import Topology
from stockyard.trading.demo.desk import Desk
from stockyard.trading.demo.exchange import PaperExchange
from stockyard.trading.demo.faults import Faults
from stockyard.trading.demo.pipeline import Pipeline
from stockyard.trading.demo.venue import ORDERS, PAPER_LIMITS, PAPER_VENUE, VenueClient, usage_of
from stockyard.trading.queues import QueueName, declare_platform

LOCK = "2s"
"""A killed process's jobs shall come back within the demo, not after the platform's half minute."""
_MAX_STALLED = 5
"""Times that a job may lose its worker."""


def demo_platform(settings: Settings, venue: VenueClient | None = None) -> Topology:
    """Return the platform's queues.

    An order whose worker died runs again: its one dangerous step is an effect, which decides whether it is done.

    Args:
        settings: of the server; on a cluster, whose queues and limits share no slot, orders have a rate.
        venue: asked what became of an order. Defaults to none, for who serves no orders.
    """
    is_cluster = settings.address.kind == "cluster"
    return declare_platform(
        order_rate=f"{ORDERS}/s" if is_cluster else None,
        order_limits=None if is_cluster else PAPER_LIMITS,
        order_delivery="at_least_once",
        order_venue=PAPER_VENUE,
        on_unknown_order=None if venue is None else venue.became_of,
    )


class Assignment(msgspec.Struct, frozen=True):
    """What the parent says on standard input, because the address may hold a password.

    Attributes:
        name: of the workers.
        settings: the server and the key prefix.
        folder: holds the desk's and the exchange's files.
        port: of the exchange's server.
        chunk: candles of one ingestion.
        pause: seconds between two chunks of a symbol.
        is_endless: whether the candles begin again at their end.
        fault_seed: decides which runs fail; None for none.
    """

    name: str
    settings: Settings
    folder: str
    port: int
    chunk: int
    pause: float
    is_endless: bool
    fault_seed: int | None


async def work(assignment: Assignment) -> None:
    """Serve all seven queues until SIGTERM, or until standard input ends."""
    folder = Path(assignment.folder)
    desk, exchange = Desk(folder / "desk.db"), PaperExchange(folder / "exchange.db")
    venue = VenueClient(assignment.port)
    async with App(demo_platform(assignment.settings, venue), settings=assignment.settings) as app:
        is_limited = app.topology.spec(QueueName.EXECUTION_ORDER_SUBMISSION).limits is not None
        pipeline = Pipeline(
            app,
            desk=desk,
            exchange=exchange,
            venue=venue,
            usage_of=usage_of if is_limited else lambda _: {},
            chunk=assignment.chunk,
            pause=assignment.pause,
            is_endless=assignment.is_endless,
        )
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
                # One process is frozen and one killed: a job may be in the hands of both.
                max_stalled=_MAX_STALLED,
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

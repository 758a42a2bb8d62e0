"""Worker processes of a desk whose queues are in order, coalesced, expiring and limited; each writes a diary."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from stockyard import App, Job, Topology
from stockyard.limits import Limits, Rolling
from stockyard.model.clock import system_clock
from tests.support.history import Diary

LEASE_SECONDS = 2
MOST, WINDOW_SECONDS = 120, 2
VENUE = Limits("venue", [Rolling("weight", MOST, per=f"{WINDOW_SECONDS}s")])
EXPIRES_SECONDS = 1
SIGNAL_SECONDS, TICK_SECONDS, QUOTE_SECONDS = 0.01, 0.04, 0.15
QUEUES = ("signals", "ticks", "quotes", "orders")


def desk() -> Topology:
    """Its four queues, whose records are kept, so that all that ended can be counted."""
    topology = Topology("desk")
    kept: dict[str, Any] = {
        "lock": f"{LEASE_SECONDS}s",
        "max_stalled": 100,
        "remove_on_complete": False,
        "remove_on_fail": False,
    }
    topology.queue("signals", ordered=True, attempts=4, backoff="20ms", concurrency=4, **kept)
    topology.queue("ticks", coalesce="latest", concurrency=2, **kept)
    topology.queue("quotes", expires_in=f"{EXPIRES_SECONDS}s", concurrency=1, **kept)
    topology.queue("orders", limits=VENUE, concurrency=4, **kept)
    return topology


async def work(app: App, diary: Diary) -> None:
    """Run jobs of all four queues until SIGTERM."""

    async def signals(job: Job[Any]) -> None:
        diary.write("start", job.data["key"], job.id, job.attempts_started)
        await asyncio.sleep(SIGNAL_SECONDS * random.random())
        if random.random() < 0.1:
            raise ConnectionError("the venue hung up")

    async def ticks(job: Job[Any]) -> None:
        diary.write("start", job.data["key"], job.id, job.attempts_started)
        await asyncio.sleep(TICK_SECONDS * random.random())
        diary.write("end", job.data["key"], job.id, job.attempts_started, str(job.data["number"]))

    async def quotes(job: Job[Any]) -> None:
        diary.write("start", "quote", job.id, round(job.processed_on or 0), str(round(job.expires_at or 0)))
        await asyncio.sleep(QUOTE_SECONDS)

    async def orders(job: Job[Any]) -> None:
        call = await app.limits(VENUE).call_of(job)
        diary.write("start", "order", job.id, job.data["cost"], str(call.tickets[0]["at"]))

    handlers = {"signals": signals, "ticks": ticks, "quotes": quotes, "orders": orders}
    workers = [app.worker(queue, handlers[queue]) for queue in QUEUES]
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    running = [asyncio.create_task(worker.run()) for worker in workers]
    await over.wait()
    await asyncio.gather(*(worker.stop() for worker in workers))
    await asyncio.gather(*running)


async def main(player: str, ahead_seconds: int) -> None:
    """Work by a clock that is so many seconds ahead."""
    diary = Diary(Path(os.environ["DESK_FOLDER"]), player)
    clock = lambda: system_clock() + 1000 * ahead_seconds  # noqa: E731
    async with App(desk(), os.environ["DESK_URL"], prefix=os.environ["DESK_PREFIX"], clock=clock) as app:
        await work(app, diary)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

"""A worker process of a queue in order, which writes down when each run begins and ends."""

import asyncio
import os
import random
import sys
import time

from stockyard import App, Job, Settings, Topology

ATTEMPTS = 3


def desk() -> Topology:
    """The queue: jobs of one key in order, retried soon, given up after three attempts."""
    topology = Topology("t")
    topology.queue(
        "signals",
        ordered=True,
        concurrency=10,
        attempts=ATTEMPTS,
        backoff=0.02,
        lock="2s",
        max_stalled=100,
        # Their number says that all have ended.
        remove_on_complete=False,
        remove_on_fail=False,
    )
    return topology


async def run(job: Job[list[object]]) -> None:
    """Begin, work a moment, and end; one run in five fails."""
    key, number = job.data
    print(time.monotonic_ns(), key, number, "start", flush=True)
    await asyncio.sleep(random.random() * 0.004)
    print(time.monotonic_ns(), key, number, "end", flush=True)
    if random.random() < 0.2:
        raise ConnectionError("the venue hung up")


async def main() -> None:
    """Work until the input ends."""
    settings = Settings.load(os.environ["KEYS_TEST_URL"], prefix=os.environ["KEYS_TEST_PREFIX"], dotenv=None)
    async with App(desk(), settings=settings) as app:
        worker = app.worker("signals", run)
        working = asyncio.create_task(worker.run())
        await asyncio.to_thread(sys.stdin.read)
        await worker.stop()
        await working


if __name__ == "__main__":
    asyncio.run(main())

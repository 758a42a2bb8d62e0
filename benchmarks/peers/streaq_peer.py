"""streaq: one worker with 100 tasks at a time."""

import asyncio

from entry import BATCH, JOBS, URL, main, mark
from streaq import Worker

worker = Worker(redis_url=URL, concurrency=100)


@worker.task(name="noop")
async def noop(i: int) -> None:
    mark()


async def fill():
    async with worker:
        for start in range(0, JOBS, BATCH):
            numbers = range(start, min(start + BATCH, JOBS))
            await worker.enqueue_many([noop.enqueue(n) for n in numbers])


if __name__ == "__main__":
    main(fill=lambda: asyncio.run(fill()), work=worker.run_sync)

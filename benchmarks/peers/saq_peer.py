"""saq: one worker with 100 jobs at a time."""

import asyncio

from entry import BATCH, JOBS, URL, main, mark
from saq import Queue, Worker


async def noop(ctx, *, i):
    mark()


async def fill():
    queue = Queue.from_url(URL)
    for start in range(0, JOBS, BATCH):
        numbers = range(start, min(start + BATCH, JOBS))
        await asyncio.gather(*(queue.enqueue("noop", i=n) for n in numbers))
    await queue.disconnect()


async def work():
    await Worker(Queue.from_url(URL), functions=[noop], concurrency=100).start()


if __name__ == "__main__":
    main(fill=lambda: asyncio.run(fill()), work=lambda: asyncio.run(work()))

"""bullmq for Python: one worker with 100 jobs at a time; and its two sides of the latency row."""

import asyncio
import json
import os
import time
from urllib.parse import urlsplit

from bullmq import Queue, Worker
from entry import BATCH, JOBS, URL, main, mark

# redis-py 8 gives up a read after 5 s by default, which breaks the worker's blocking read: no limit is fair.
CONNECTION = {"host": urlsplit(URL).hostname, "port": urlsplit(URL).port, "socket_timeout": None}


def run(side):
    if os.environ.get("BENCH_UVLOOP"):
        import uvloop

        uvloop.run(side())
    else:
        asyncio.run(side())


async def fill():
    queue = Queue("bench", {"connection": CONNECTION})
    for start in range(0, JOBS, BATCH):
        numbers = range(start, min(start + BATCH, JOBS))
        await queue.addBulk([{"name": "noop", "data": {"i": n}, "opts": {}} for n in numbers])
    await queue.close()


async def work():
    async def noop(job, token):
        mark()

    Worker("bench", noop, {"connection": CONNECTION, "concurrency": 100})
    await asyncio.Event().wait()


async def probe():
    queue = Queue("bench", {"connection": CONNECTION})
    period = 1e9 / float(os.environ["BENCH_RATE"])
    start = time.monotonic_ns()
    adding = []
    for i in range(JOBS):
        wait = start + i * period - time.monotonic_ns()
        if wait > 0:
            await asyncio.sleep(wait / 1e9)
        adding.append(asyncio.ensure_future(queue.add("probe", {"i": i, "sent": time.monotonic_ns()})))
    await asyncio.gather(*adding)
    await queue.close()


async def listen():
    probes = []
    finished = asyncio.Event()

    async def note(job, token):
        probes.append((job.data["sent"], time.monotonic_ns() - job.data["sent"]))
        if len(probes) == JOBS:
            finished.set()

    worker = Worker("bench", note, {"connection": CONNECTION, "concurrency": 100})
    await asyncio.sleep(0.5)
    print(json.dumps({"ready": True}), flush=True)
    await finished.wait()
    await worker.close()
    print(json.dumps({"probes": probes}), flush=True)


if __name__ == "__main__":
    main(**{side.__name__: lambda side=side: run(side) for side in (fill, work, probe, listen)})

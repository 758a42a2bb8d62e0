"""A whole program for the PyPI port of BullMQ, which runs with Stockyard too once its import is changed.

It adds jobs one by one and in bulk, works on them while the events of the queue are read, runs flows and
schedulers, and answers with the seconds that each part took. `sides/program.py` runs this file with its import
changed.

    python bullmq_program.py run
"""

import asyncio
import json
import time
from urllib.parse import urlsplit

from bullmq import FlowProducer, Queue, QueueEvents, Worker
from entry import JOBS, URL, main

CHILDREN = 10
BULK = 200
# redis-py 8 gives up a read after 5 s by default, which breaks the worker's blocking read: no limit is fair.
OPTS = {"connection": {"host": urlsplit(URL).hostname, "port": urlsplit(URL).port, "socket_timeout": None}}


class Countdown:
    """Ends when something has happened so many times."""

    def __init__(self, number):
        self.left = number
        self.done = asyncio.get_running_loop().create_future()

    def note(self, *_args):
        self.left -= 1
        if not self.left:
            self.done.set_result(None)


async def add(orders, took):
    began = time.perf_counter()
    for number in range(JOBS // 20):
        await orders.add("order", {"number": number}, {"attempts": 3, "backoff": {"type": "fixed", "delay": 1000}})
    took["add"] = time.perf_counter() - began
    began = time.perf_counter()
    for start in range(JOBS // 20, JOBS, BULK):
        numbers = range(start, min(start + BULK, JOBS))
        await orders.addBulk([{"name": "order", "data": {"number": number}} for number in numbers])
    took["bulk"] = time.perf_counter() - began


async def work(took):
    ended, seen = Countdown(JOBS), Countdown(JOBS)

    async def process(job, token):
        return {"number": job.data["number"], "attempt": job.attemptsMade + 1}

    began = time.perf_counter()
    events = QueueEvents("orders", {**OPTS, "lastEventId": "0"})
    events.on("completed", seen.note)
    worker = Worker("orders", process, {**OPTS, "concurrency": 100})
    worker.on("completed", ended.note)
    await ended.done
    await seen.done
    took["work"] = time.perf_counter() - began
    return events, worker


async def flow(took):
    number = JOBS // 100
    reported = Countdown(number)

    async def price(job, token):
        return job.data["price"]

    async def report(job, token):
        return sum((await job.getChildrenValues()).values())

    began = time.perf_counter()
    prices = Worker("prices", price, {**OPTS, "concurrency": 100})
    reports = Worker("reports", report, {**OPTS, "concurrency": 100})
    reports.on("completed", reported.note)
    producer = FlowProducer(OPTS)
    for tree in range(number):
        children = [
            {"name": "price", "queueName": "prices", "data": {"price": child}} for child in range(CHILDREN)
        ]
        await producer.add(
            {"name": "report", "queueName": "reports", "data": {"report": tree}, "children": children}
        )
    await reported.done
    took["flow"] = time.perf_counter() - began
    return prices, reports, producer


async def schedule(took):
    number = JOBS // 100
    ticked = Countdown(number)

    async def tick(job, token):
        ticked.note()

    began = time.perf_counter()
    clock = Queue("clock", OPTS)
    for scheduler in range(number):
        # Its first run starts at once, and the next one after the end of this program.
        await clock.upsertJobScheduler(f"beat-{scheduler}", {"every": 3_600_000, "limit": 2}, "beat", {})
    ticker = Worker("clock", tick, {**OPTS, "concurrency": 100})
    await ticked.done
    took["schedule"] = time.perf_counter() - began
    return clock, ticker


async def program():
    took = {}
    began, cpu = time.perf_counter(), time.process_time()
    orders = Queue("orders", OPTS)
    await add(orders, took)
    parts = [orders, *await work(took), *await flow(took), *await schedule(took)]
    for part in parts:
        await part.close()
    took["whole"] = time.perf_counter() - began
    took["cpu"] = time.process_time() - cpu
    print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main(run=lambda: asyncio.run(program()))

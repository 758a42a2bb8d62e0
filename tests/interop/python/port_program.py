"""A program for the PyPI port of BullMQ: a queue, a worker, a flow, events and a scheduler.

It runs as it is with the port. A test runs it with Stockyard as well, once its import is changed.

    python port_program.py URL PREFIX JOBS

It prints what happened as JSON, and how long each part took, in seconds, on standard error.
"""

import asyncio
import json
import sys
import time

from bullmq import FlowProducer, Job, Queue, QueueEvents, UnrecoverableError, Worker  # type: ignore[import-not-found]


async def main(url: str, prefix: str, count: int) -> dict[str, object]:
    opts = {"connection": url, "prefix": prefix}
    loop = asyncio.get_running_loop()
    took: dict[str, float] = {}

    # A queue and its worker, watched by the events of the queue.
    orders = Queue(
        "orders", {**opts, "defaultJobOptions": {"attempts": 3, "backoff": {"type": "fixed", "delay": 5}}}
    )
    events = QueueEvents("orders", {**opts, "lastEventId": "0"})
    completed: set[str] = set()
    all_completed = loop.create_future()

    def on_completed(args: dict[str, object], event_id: str) -> None:
        completed.add(str(args["jobId"]))
        if len(completed) == count and not all_completed.done():
            all_completed.set_result(args["returnvalue"])

    events.on("completed", on_completed)

    async def process(job: Job, token: str) -> object:
        if job.name == "refused":
            raise UnrecoverableError(f"no {job.data['symbol']}")
        if job.data["number"] == 0 and job.attemptsMade < 2:
            raise ConnectionError("not yet")
        return {"number": job.data["number"], "attempt": job.attemptsMade + 1}

    began = time.perf_counter()
    await orders.addBulk([{"name": "order", "data": {"number": number}} for number in range(count)])
    took["add"] = time.perf_counter() - began
    worker = Worker("orders", process, {**opts, "concurrency": 100})
    failures: list[str] = []
    refused = loop.create_future()

    def on_failed(job: Job, error: Exception) -> None:
        failures.append(f"{job.name} {job.attemptsMade}: {type(error).__name__}: {error}")
        if job.name == "refused":
            refused.set_result(None)

    worker.on("failed", on_failed)
    await all_completed
    took["work"] = time.perf_counter() - began - took["add"]
    bad = await orders.add("refused", {"symbol": "XYZ"})
    await refused
    stored = await Job.fromId(orders, bad.id)
    first = await orders.getJob("1")

    # A flow: a report that adds up what its children return.
    began = time.perf_counter()
    flows = FlowProducer(opts)
    report_done = loop.create_future()

    async def price(job: Job, token: str) -> float:
        await job.updateProgress(100)
        return float(job.data["price"])

    async def report(job: Job, token: str) -> float:
        return float(sum((await job.getChildrenValues()).values()))

    prices = Worker("prices", price, {**opts, "concurrency": 10})
    reports = Worker("reports", report, opts)
    reports.on("completed", lambda job, result: report_done.set_result(result))
    tree = await flows.add(
        {
            "name": "report",
            "queueName": "reports",
            "data": {},
            "children": [
                {"name": "price", "queueName": "prices", "data": {"price": number}} for number in range(1, 11)
            ],
        }
    )
    total = await report_done
    took["flow"] = time.perf_counter() - began

    # A scheduler: a run every 50 ms, three of them.
    ticks: list[str] = []
    three_ticks = loop.create_future()

    async def tick(job: Job, token: str) -> None:
        ticks.append(job.name)
        if len(ticks) == 3:
            three_ticks.set_result(None)

    clock = Queue("clock", opts)
    next_run = await clock.upsertJobScheduler("heart", {"every": 50, "limit": 3}, "beat", {"by": "clock"})
    scheduler = await clock.getJobScheduler("heart")
    ticker = Worker("clock", tick, opts)
    await three_ticks

    counts = await orders.getJobCounts("completed", "failed", "waiting")
    for each in (worker, prices, reports, ticker, events, flows, orders, clock):
        await each.close()
    print(json.dumps(took), file=sys.stderr)
    return {
        "completed": len(completed),
        "counts": counts,
        "failures": sorted(failures),
        "refused": [stored.failedReason, stored.attemptsMade, stored.finishedOn > 0],
        "first": [first.returnvalue, first.attemptsMade, first.opts["attempts"]],
        "flow": [total, len(tree["children"]), tree["job"].name],
        "scheduler": [next_run.id.startswith("repeat:heart:"), scheduler["every"], scheduler["name"], ticks],
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))))

"""A process that calls as often as its limits admit, and writes down when the server admitted each call."""

import asyncio
import os
import random
import sys
from typing import Any

from stockyard import App, Job, Settings, Topology
from stockyard.limits import Limits, Rolling
from stockyard.model.clock import system_clock

MOST, PER = 1200, "4s"
SHARED = Limits("shared", [Rolling("weight", MOST, per=PER)])
JOBS = Limits("jobs", [Rolling("weight", MOST, per=PER), Rolling("orders", 60, per="2s", scope="account")])


async def saturate(ahead_seconds: int) -> None:
    """Call until the input ends, by a wrong clock; print for each call the server's time in us and the cost."""
    settings = Settings.load(os.environ["LIMITS_TEST_URL"], prefix=os.environ["LIMITS_TEST_PREFIX"], dotenv=None)
    clock = lambda: system_clock() + 1000 * ahead_seconds  # noqa: E731

    async def call_for_ever(app: App) -> None:
        while True:
            cost = random.randint(1, 20)
            async with app.limits(SHARED).take(cost) as call:
                print(call.tickets[0]["at"], cost, flush=True)

    async with App(Topology("t"), settings=settings, clock=clock) as app:
        calls = [asyncio.create_task(call_for_ever(app)) for _ in range(4)]
        await asyncio.to_thread(sys.stdin.read)
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


def desk() -> Topology:
    """A queue whose jobs cost 1 to 20 of the shared limit, and one order of their account."""
    topology = Topology("t")
    topology.queue("orders", limits=JOBS, concurrency=10, lock="1s", max_stalled=10)
    return topology


async def work(ahead_seconds: int) -> None:
    """Work until the input ends; print for each start the server's time in us, and what the job holds."""
    settings = Settings.load(os.environ["LIMITS_TEST_URL"], prefix=os.environ["LIMITS_TEST_PREFIX"], dotenv=None)
    app = App(desk(), settings=settings, clock=lambda: system_clock() + 1000 * ahead_seconds)

    async def run(job: Job[dict[str, Any]]) -> None:
        call = await app.limits(JOBS).call_of(job)
        print(int(call.tickets[0]["at"]), job.data["cost"], job.data["account"], job.data["number"], flush=True)

    async with app:
        worker = app.worker("orders", run)
        working = asyncio.create_task(worker.run())
        await asyncio.to_thread(sys.stdin.read)
        await worker.stop()
        await working


if __name__ == "__main__":
    asyncio.run({"saturate": saturate, "work": work}[sys.argv[1]](int(sys.argv[2])))

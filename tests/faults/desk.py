"""A trading desk whose workers run as processes of their own, by `stockyard worker tests.faults.desk:desk`."""

import asyncio
from typing import Any

from stockyard import Job, Topology

LEASE_SECONDS = 2

desk = Topology("desk")
fills = desk.queue("fills", high_priority=True, concurrency=20)
orders = desk.queue("orders", attempts=1, remove_on_fail=False)
settlement = desk.queue("settlement", lock=f"{LEASE_SECONDS}s")


@fills.handler("fill")
async def fill(job: Job[Any]) -> None:
    """Do nothing."""


@orders.handler("submit")
async def submit(job: Job[Any]) -> None:
    """Fail."""
    raise ValueError("the exchange is closed")


@settlement.handler("settle")
async def settle(job: Job[Any]) -> str:
    """Never end at the first start."""
    if job.attempts_started == 1:
        await asyncio.Event().wait()
    return "settled"

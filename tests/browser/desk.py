"""What runs behind the board in its tests: handlers of the platform's signals, and a look at their queue."""

import asyncio
from typing import Any

from stockyard import Job, JobState
from stockyard.trading import QueueName
from tests.support.yard import Yard

SIGNALS = QueueName.STRATEGY_SIGNALS


async def work(job: Job[Any]) -> Any:
    """Report and end as a position's recalculation may."""
    await job.update_progress(40)
    await job.log("marks loaded")
    if job.name == "bad":
        raise RuntimeError("no margin")
    return {"position": job.data["symbol"]}


async def hang(job: Job[Any]) -> None:
    await asyncio.Event().wait()


async def has_counts(yard: Yard, queue: str = SIGNALS, **expected: int) -> bool:
    """Whether the queue has so many jobs of each state."""
    counts = await yard.queue(queue).counts()
    return all(counts[JobState(state)] == number for state, number in expected.items())

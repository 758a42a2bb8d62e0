"""A cancellation that its worker did not hear of, on a server whose connections a test may cut."""

import asyncio
from typing import Any

import redis

from stockyard import Job
from tests.integration.engine.test_job_cancel import reason_of
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def test_a_cancellation_that_a_broken_connection_missed_is_caught_up_on(
    yard: Yard, raw: "redis.Redis", prefix: str
) -> None:
    queue, running = yard.queue(), asyncio.Event()

    async def work(job: Job[Any]) -> None:
        running.set()
        await asyncio.Event().wait()

    await yard.work(work)
    channel = f"{prefix}::cancel:q"
    await eventually(lambda: raw.pubsub_numsub(channel)[0][1] == 1)
    job = await queue.add("x")
    await running.wait()
    assert raw.client_kill_filter(_type="pubsub") >= 1
    # Nobody listens at this moment, or again: both must do.
    raw.hset(f"{prefix}:q:{job.id}", "defa", "cancelled: unheard")
    assert await reason_of(job) == "cancelled: unheard"

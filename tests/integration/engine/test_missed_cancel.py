"""A cancellation that its worker did not hear of, on a server whose connections a test may cut."""

import asyncio
from typing import Any

import redis

from stockyard import Job
from stockyard._store.jobs.cancelling import CancelChannel, Cancellation
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


async def test_a_halt_that_comes_in_with_the_begin_of_the_subscription_is_heard(
    yard: Yard, raw: "redis.Redis", prefix: str
) -> None:
    yard.queue()
    runtime = yard.app._runtime()
    keyspace, halts = runtime.keyspace(yard.topology.spec("q")), runtime.halts.channel
    channel = CancelChannel(runtime.server, halts)
    try:
        await channel.open(lambda: [keyspace])
        await eventually(lambda: raw.pubsub_numsub(f"{prefix}::cancel:q")[0][1] == 1)
        # Nothing was read so far: the answers to both subscriptions, the change and the cancellation are one.
        raw.publish(halts, "1")
        raw.publish(f"{prefix}::cancel:q", '["17", "cancelled"]')
        received = await channel.hear()
        assert (received.halts_changed, received.begun) == (True, ["q"])
        assert received.cancelled == [("q", Cancellation("17", "cancelled"))]
    finally:
        await channel.close()


async def test_a_queue_whose_worker_starts_while_the_listener_connects_is_listened_to(
    yard: Yard, raw: "redis.Redis", prefix: str
) -> None:
    runtime, keyspaces = yard.app._runtime(), []
    for name in ("q", "late"):
        yard.queue(name)
        keyspaces.append(runtime.keyspace(yard.topology.spec(name)))
    served = keyspaces[:1]
    channel = CancelChannel(runtime.server, runtime.halts.channel)
    try:
        opening = asyncio.create_task(channel.open(lambda: served))
        await asyncio.sleep(0)
        assert not opening.done()
        served.append(keyspaces[1])
        await opening
        await eventually(lambda: raw.pubsub_numsub(f"{prefix}::cancel:late")[0][1] == 1)
    finally:
        await channel.close()

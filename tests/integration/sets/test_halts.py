"""Halts under Sentinel, whose primary is killed, and on a cluster, where the record has a slot of its own."""

import asyncio
import secrets
from typing import Any

import pytest

from stockyard import App, Job, Settings, Topology
from stockyard.errors import ServerError
from stockyard.halts import Breaker
from tests.support.sets import ClusterSet, SentinelSet
from tests.support.waiting import eventually, stays

BY: dict[str, Any] = {"reason": "runaway", "by": "ada"}


def settings(servers: ClusterSet | SentinelSet) -> Settings:
    return Settings.load(servers.url, prefix=f"h{secrets.token_hex(3)}", call_timeout=15, dotenv=None)


@pytest.mark.long
async def test_a_halt_holds_after_a_failover(sentinel_set: SentinelSet) -> None:
    ran: list[str] = []

    async def note(job: Job[Any]) -> None:
        ran.append(job.id)

    topology = Topology("t")
    queue_spec = topology.queue("q")
    async with App(topology, settings=settings(sentinel_set)) as app:
        worker = app.worker(queue_spec.name, note, drain_delay=0.05)
        running = asyncio.create_task(worker.run())
        await worker.ready.wait()
        await app.halt("q", **BY)
        killed = sentinel_set.primary()
        sentinel_set.kill(killed)

        async def is_added() -> bool:
            try:
                await app.queue("q").add("x", job_id="one")
            except ServerError:
                return False
            return True

        await eventually(is_added, within=60)
        await stays(lambda: ran == [], during=0.5)
        assert (await app.health())[0].halted
        await app.resume("q", by="ada")
        await eventually(lambda: ran == ["one"], within=60)
        await worker.stop()
        await running
        sentinel_set.restart(killed)


@pytest.mark.long
async def test_queues_of_many_slots_are_halted(cluster_set: ClusterSet) -> None:
    ran: list[str] = []

    async def note(job: Job[Any]) -> None:
        ran.append(job.queue)

    names = ["execution:orders", "execution:sync", "portfolio:prices", "ticks"]
    topology = Topology("t")
    for name in names:
        topology.queue(name, shards=3 if name == "ticks" else 1)
    async with App(topology, settings=settings(cluster_set)) as app:
        workers = [app.worker(name, note, drain_delay=0.05) for name in names]
        running = [asyncio.create_task(worker.run()) for worker in workers]
        for worker in workers:
            await worker.ready.wait()
        await app.halt("execution:*", **BY)
        await app.halt("ticks", **BY)
        await app.halt("*", key="A1", **BY)
        # A key is held from when the workers have heard of it.
        halts = app._runtime().cancels.halts
        await eventually(lambda: all(halts.of(name) for name in names))
        jobs = [await app.queue(name).add("x") for name in names]
        held = await app.queue("portfolio:prices").add("x", key="A1")
        await jobs[2].wait_for_result(30)
        await stays(lambda: ran == ["portfolio:prices"], during=0.5)
        assert [health.halted for health in await app.health()] == [True, True, False, True]
        for pattern in ("execution:*", "ticks"):
            await app.resume(pattern, by="ada")
        await app.resume("*", key="A1", by="ada")
        for job in (*jobs, held):
            await job.wait_for_result(30)
        assert await app.halts() == []
        assert len(await app.halt_audit()) == 6
        await asyncio.gather(*(worker.stop() for worker in workers))
        await asyncio.gather(*running)


@pytest.mark.long
async def test_a_breaker_of_a_cluster(cluster_set: ClusterSet) -> None:
    is_up = False

    async def work(job: Job[Any]) -> None:
        if not is_up:
            raise ConnectionError("away")

    topology = Topology("t")
    topology.queue("execution:orders", attempts=3, breaker=Breaker(failures=1, reset_after="100ms"))
    async with App(topology, settings=settings(cluster_set)) as app:
        worker = app.worker("execution:orders", work)
        running = asyncio.create_task(worker.run())
        job = await app.queue("execution:orders").add("x")

        async def is_open() -> bool:
            return [halt.source for halt in await app.halts()] == ["breaker"]

        await eventually(is_open, within=30)
        is_up = True
        await job.wait_for_result(30)
        assert (await job.refresh()).attempts_made == 1
        await worker.stop()
        await running

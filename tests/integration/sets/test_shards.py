"""A queue with shards on a cluster and under Sentinel."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from stockyard import Job, Topology
from stockyard.dashboard import Dashboard
from stockyard.events import CompletedEvent
from stockyard.model.sharding import shards_of
from tests.support.sets import ClusterSet, SentinelSet
from tests.support.yard import Yard

QUEUE = "market:ticks"
SHARDS = 6


@pytest.fixture(params=["cluster", "sentinel"])
def url(request: pytest.FixtureRequest) -> str:
    servers: ClusterSet | SentinelSet = request.getfixturevalue(f"{request.param}_set")
    return servers.url


@pytest.fixture
async def yard(url: str) -> AsyncIterator[Yard]:
    async with Yard(url, "t", topology=_topology()) as yard:
        await yard.app.queue(QUEUE).obliterate(force=True)
        yield yard


def _topology() -> Topology:
    topology = Topology("sets")
    topology.queue(QUEUE, shards=SHARDS, attempts=1, remove_on_complete=False, remove_on_fail=False)
    return topology


async def run(job: Job[int]) -> int:
    return job.data * 2


def test_each_primary_of_a_cluster_has_as_many_shards(cluster_set: ClusterSet) -> None:
    nodes = Counter(cluster_set.primary_of(f"t:{shard.queue}:wait").name for shard in shards_of(QUEUE, SHARDS))
    assert sorted(nodes.values()) == [2, 2, 2]


async def test_all_that_a_queue_has(yard: Yard) -> None:
    queue = yard.app.queue(QUEUE)
    jobs = await queue.add_many([("x", at) for at in range(120)])
    jobs += [await queue.add("x", 120 + at, key=f"SYM{at}") for at in range(20)]
    own = await queue.add("x", 7, job_id="order-7")
    assert not (await queue.add("x", 8, job_id="order-7")).was_added
    await yard.app.schedules(QUEUE).upsert("daily", cron="0 0 * * *", name="x")
    assert await queue.count("waiting") == 141
    async with yard.app.events(QUEUE, only=[CompletedEvent]) as events:
        await yard.work(run, QUEUE, concurrency=5)
        assert await asyncio.gather(*(job.wait_for_result(25) for job in jobs)) == [at * 2 for at in range(140)]
        assert await own.wait_for_result(25) == 14
        seen = {(await anext(events)).job_id for _ in range(141)}  # type: ignore[attr-defined]
    assert seen == {job.id for job in [*jobs, own]}
    (health,) = await yard.app.health(QUEUE)
    assert (health.completed, health.workers, health.schedules) == (141, 1, 1)
    assert len(await queue.get_jobs("completed", size=200)) == 141
    await queue.pause()
    assert await queue.is_paused()
    assert len(await queue.clean("completed")) == 141
    await queue.resume()


async def test_blocking_calls(yard: Yard) -> None:
    def use() -> list[Any]:
        queue = yard.app.queue(QUEUE).sync
        jobs = queue.add_many([("x", at) for at in range(30)]) + [queue.add("x", 1) for _ in range(6)]
        return [queue.count("waiting"), len({job.id for job in jobs})]

    assert await asyncio.to_thread(use) == [36, 36]


async def test_a_worker_serves_the_other_shards_while_a_primary_is_frozen(cluster_set: ClusterSet) -> None:
    async with Yard(cluster_set.url, "f", topology=_topology()) as yard:
        queue = yard.app.queue(QUEUE)
        await queue.obliterate(force=True)
        await yard.work(run, QUEUE, concurrency=1)
        jobs = await queue.add_many([("x", at) for at in range(120)])
        await asyncio.gather(*(job.wait_for_result(25) for job in jobs))
        by_node: dict[str, list[str]] = {}
        for at in range(60):
            key = f"k{at}"
            job = await queue.add("x", at, key=key)
            shard = next(shard for shard in shards_of(QUEUE, SHARDS) if job.id.endswith(f"@{shard.tag}"))
            by_node.setdefault(cluster_set.primary_of(f"f:{shard.queue}:wait").name, []).append(key)
            await job.wait_for_result(25)
        frozen, other = list(by_node)[:2]
        node = next(each for each in cluster_set.nodes if each.name == frozen)
        cluster_set.freeze(node)
        try:
            for key in by_node[other][:5]:
                late = await queue.add("x", 5, key=key)
                assert await late.wait_for_result(4) == 10
        finally:
            cluster_set.thaw(node)
        cluster_set.wait_ready()
        last = await queue.add("x", 6, key=by_node[frozen][0])
        assert await last.wait_for_result(25) == 12


async def test_the_dashboard_shows_where_a_queue_is(url: str, yard: Yard, request: pytest.FixtureRequest) -> None:
    places = await yard.app.monitor.places()
    if "cluster" not in url:
        assert places == []
        return
    servers: ClusterSet = request.getfixturevalue("cluster_set")
    assert [each.queue for each in places] == [shard.queue for shard in shards_of(QUEUE, SHARDS)]
    assert {each.node.rpartition(":")[2] for each in places} == {
        str(servers.primary_of(f"t:{each.queue}:wait").port) for each in places
    }
    board = Dashboard(yard.app, unprotected=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(board), base_url="http://board.test") as client:
        page = (await client.get("/server")).text
    assert all(f"{each.slot:,}" in page and each.node in page for each in places)

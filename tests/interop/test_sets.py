"""Node's real bullmq by ioredis's Sentinel and Cluster, and ours, on the same queues; a primary is killed."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from stockyard import Job, ReplyLost, ServerUnavailable
from stockyard.errors import JobNotFound, ResultTimeout
from stockyard.model.naming import Naming, NodeSpelling
from tests.support.node import NodeError, NodeObject, NodePeer
from tests.support.sets import ServerSet
from tests.support.waiting import eventually, ticks
from tests.support.yard import Yard

BY_NODE, BY_US = "execution:fills", "execution:orders"
"""Queues to which Node adds, and to which we add; both are on the primary that is killed."""

JOBS = 60
EVERY = 0.1
"""Seconds between two adds, which go on for longer than the failover."""


@pytest.fixture(params=["sentinel", "cluster"])
def servers(request: pytest.FixtureRequest) -> ServerSet:
    servers: ServerSet = request.getfixturevalue(f"{request.param}_set")
    return servers


@pytest.fixture
async def peer(servers: ServerSet) -> AsyncIterator[NodePeer]:
    peer = NodePeer(servers.url)
    yield peer
    await peer.close_objects()
    peer.stop()


@pytest.fixture
async def yard(servers: ServerSet) -> AsyncIterator[Yard]:
    async with Yard(servers.url, "t") as yard:
        for name in (BY_NODE, BY_US):
            await yard.queue(name, lock="5s", remove_on_complete=False).obliterate(force=True)
        yield yard


def spelling(yard: Yard, name: str) -> NodeSpelling:
    """Return how Node spells a queue, as `stockyard queue show` prints it."""
    naming: Naming = yard.queue(name)._keyspace.keys.naming
    return naming.node(name)


@pytest.mark.long
async def test_each_runs_what_the_other_adds(yard: Yard, peer: NodePeer, servers: ServerSet) -> None:
    ran: list[str] = []

    async def echo(job: Job[Any]) -> Any:
        ran.append(job.id)
        return job.data

    prefix, name = spelling(yard, BY_NODE)
    node_queue, events = await peer.queue(name, prefix=prefix), await peer.events(name, prefix=prefix)
    await yard.work(echo, queue=BY_NODE, concurrency=5)
    prefix, name = spelling(yard, BY_US)
    node_worker = await peer.worker(name, prefix=prefix, concurrency=5, lockDuration=5000, stalledInterval=2500)
    ours = yard.queue(BY_US)

    async def add_both() -> list[Any]:
        adding = []
        async for number in ticks(EVERY, JOBS):
            adding += [asyncio.create_task(_node_adds(node_queue, number))]
            adding += [asyncio.create_task(_we_add(yard, number))]
        return await asyncio.gather(*adding)

    producing = asyncio.create_task(add_both())
    await eventually(lambda: len(ran) > 5)
    old = servers.primary_of(ours._keyspace.base)
    new = servers.replica_of(old)
    before = servers.failovers()
    servers.kill(old)
    results = await producing
    assert servers.failovers() == before + 1
    assert results[1::2] == [{"n": number} for number in range(JOBS)]
    # What was acknowledged right before the primary went may be lost; under an id of its own it is added once.
    await asyncio.gather(*(_node_adds(node_queue, number) for number in range(JOBS)))
    for queue in (yard.queue(BY_NODE), ours):
        await eventually(partial(_all_are_completed, queue), within=60, every=0.1)
    assert {f"node-{number}" for number in range(JOBS)} <= set(ran)
    assert {f"ours-{number}" for number in range(JOBS)} <= {job["id"] for job in await node_worker.read("started")}
    # Results and events still come.
    last = await node_queue.add("echo", {"n": "last"}, {"jobId": "last"})
    assert await node_queue.job(last["id"], "waitUntilFinished", events, 20_000) == {"n": "last"}
    completed = [of for what, of in await events.read("events") if what == "completed"]
    assert {"n": "last"} in [of["returnvalue"] for of in completed]
    assert servers.is_known_as_primary(new)
    servers.restart(old)
    await asyncio.to_thread(servers.rejoin, old, new)


async def _node_adds(queue: NodeObject, number: int) -> None:
    async for _ in ticks(EVERY):
        try:
            await queue.add("echo", {"n": number}, {"jobId": f"node-{number}"})
        except NodeError:
            continue
        return


async def _we_add(yard: Yard, number: int) -> Any:
    """Add a job until it was run."""
    queue = yard.queue(BY_US)
    async for _ in ticks(EVERY):
        try:
            job = await queue.add("echo", {"n": number}, job_id=f"ours-{number}")
            return await job.wait_for_result(15)
        except (ServerUnavailable, ReplyLost, ResultTimeout, JobNotFound):
            continue
    raise AssertionError


async def _all_are_completed(queue: Any) -> bool:
    return bool(await queue.count("waiting", "active", "delayed") == 0 and await queue.count("completed") >= JOBS)

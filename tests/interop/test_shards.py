"""Node on single shards of a queue of ours."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from stockyard import App, InvalidOption, Job, Queue
from stockyard.model.naming import Naming
from stockyard.model.sharding import shards_of
from tests.support.node import NodePeer, has_counts
from tests.support.waiting import eventually

QUEUE = "market:ticks"


@pytest.fixture
def ticks(open_app: Callable[..., App]) -> Queue:
    """Our queue with two shards."""
    return open_app(**{QUEUE: {"shards": 2}}).queue(QUEUE)


def spelled(prefix: str) -> list[tuple[str, dict[str, Any]]]:
    """How Node names each shard: its name, and its options."""
    names = [Naming(prefix).node(shard.queue) for shard in shards_of(QUEUE, 2)]
    return [(name, {"prefix": its_prefix}) for its_prefix, name in names]


async def test_a_worker_of_node_serves_one_shard(node: NodePeer, ticks: Queue, prefix: str) -> None:
    name, options = spelled(prefix)[0]
    tag = shards_of(QUEUE, 2)[0].tag
    jobs = await ticks.add_many([("echo", at) for at in range(100)])
    queue = await node.queue(name, **options)
    worker = await node.worker(name, concurrency=5, **options)
    await eventually(lambda: has_counts(queue, completed=50), within=30)
    started = [job["id"] for job in await worker.read("started")]
    assert sorted(started) == sorted(job.id for job in jobs if job.id.endswith(f"@{tag}"))
    assert (await ticks.count("completed"), await ticks.count("waiting")) == (50, 50)
    job = next(job for job in jobs if job.id.endswith(f"@{tag}"))
    assert await job.wait_for_result(25) == job.data


async def test_node_adds_to_one_shard(node: NodePeer, ticks: Queue, prefix: str) -> None:
    (first, first_options), (second, second_options) = spelled(prefix)
    tags = [shard.tag for shard in shards_of(QUEUE, 2)]
    here = await node.queue(first, **first_options)
    there = await node.queue(second, **second_options)
    await here.add("x", {"at": 1})
    found = await ticks.get_job("1")
    assert found is not None
    assert (found.id, found.data, found.queue) == ("1", {"at": 1}, QUEUE)
    await there.add("x", {"at": 2})
    with pytest.raises(InvalidOption, match=f"2 shards of queue 'market:ticks' have a job '1': .*'1@{tags[0]}'"):
        await ticks.get_job("1")
    named = await ticks.get_job(f"1@{tags[1]}")
    assert named is not None
    assert (named.id, named.data) == ("1", {"at": 2})
    # Both number by the same counter.
    ours = await ticks.add_many([("x", None, {"key": key}) for key in "abcdefgh"])
    assert not {job.id for job in ours} & {f"1@{tag}" for tag in tags}


async def test_our_worker_runs_what_node_adds_to_a_shard(
    node: NodePeer, open_app: Callable[..., App], prefix: str
) -> None:
    app = open_app(**{QUEUE: {"shards": 2}})
    ran: list[tuple[str, Any]] = []

    async def run(job: Job[Any]) -> None:
        ran.append((job.id, job.data))

    queues = [await node.queue(name, **options) for name, options in spelled(prefix)]
    for at, queue in enumerate(queues):
        await queue.addBulk([{"name": "x", "data": at} for _ in range(10)])
    worker = app.worker(QUEUE, run, concurrency=3, grace=5)
    task = asyncio.create_task(worker.run())
    try:
        await eventually(lambda: len(ran) == 20, within=20)
        await eventually(lambda: has_counts(queues[1], completed=10))
    finally:
        await worker.stop()
        await task
    assert sorted(ran) == sorted((str(number), at) for at in (0, 1) for number in range(1, 11))

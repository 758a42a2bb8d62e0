"""What a server under a volatile policy takes: all keys that expire, again and again, under running jobs."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import redis

from stockyard import Deduplication, Job
from tests.support.servers import OwnServer
from tests.support.waiting import ticks
from tests.support.yard import Yard

JOBS, WORKERS = 60, 4


def evict(client: "redis.Redis") -> list[str]:
    """Delete every key that expires, as a policy of the volatile kind may, and return their names."""
    names = [name for name in client.scan_iter(count=1000) if client.pttl(name) >= 0]
    if names:
        client.delete(*names)
    return names


def kind_of(name: str) -> str:
    return "deduplication" if ":de:" in name else name.rpartition(":")[2]


async def test_no_job_runs_twice_however_often_its_lock_is_evicted(make_server: Callable[..., OwnServer]) -> None:
    server = make_server(options={"maxmemory-policy": "volatile-lru"})
    starts: Counter[str] = Counter()

    async def handle(job: Job[int]) -> int:
        starts[job.id] += 1
        # Runs end at every distance from their last renewal, and from the last look for dead workers.
        await asyncio.sleep(0.3 + job.data * 0.03)
        return job.data

    evicted: Counter[str] = Counter()
    async with Yard(server.url, "t") as yard:
        queue = yard.queue(lock="400ms", rate="1000/s")
        for _ in range(WORKERS):
            await yard.work(handle, concurrency=JOBS // WORKERS)
        for number in range(JOBS):
            await queue.add("x", number, deduplication=Deduplication(f"{number}", ttl="1h"))
        async with asyncio.timeout(120):
            with server.client() as client:
                async for _ in ticks(0.03):
                    if await queue.count("completed", "failed") == JOBS:
                        break
                    evicted.update(kind_of(name) for name in evict(client))
        ended: list[Any] = await queue.get_jobs("completed", size=JOBS)
    assert evicted["lock"] > JOBS
    assert evicted["deduplication"] == JOBS
    assert min(evicted["limiter"], evicted["stalled-check"]) > 0
    assert starts == Counter(f"{number}" for number in range(1, JOBS + 1))
    assert sorted(job.return_value for job in ended) == list(range(JOBS))
    assert {job.stalled_count for job in ended} == {0}

"""Jobs start in the order in which they were added, also with several calls under way."""

import asyncio
from typing import Any

import pytest

from stockyard import Job
from stockyard._store.jobs.blocking_taker import BlockingTaker
from stockyard._store.jobs.finishing import finish_and_take
from tests.support.waiting import eventually
from tests.support.yard import Yard


class CrossedReplies:
    """Hands a reply out behind that of another call which is under way, as a server's replies may arrive."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._under_way = 0
        self._held: asyncio.Event | None = None
        self.crossed = 0

    async def __call__(self, *arguments: Any) -> Any:
        self._under_way += 1
        reply = await self._call(*arguments)
        if self._held is not None:
            self._held.set()
        elif self._under_way > 1:
            self._held = asyncio.Event()
            await self._held.wait()
            self._held = None
            self.crossed += 1
        self._under_way -= 1
        return reply


@pytest.mark.parametrize("shards", [1, 3])
async def test_jobs_start_in_the_order_added(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch, shards: int
) -> None:
    crossed = CrossedReplies(finish_and_take)
    monkeypatch.setattr("stockyard.consume.take.fetcher.finish_and_take", crossed)
    started: list[int] = []

    async def note(job: Job[int]) -> None:
        started.append(job.data)
        # They end apart from each other, so that each call carries a few of them.
        for _ in range(job.data % 5):
            await asyncio.sleep(0)

    async with Yard(redis_url, prefix) as yard:
        queue = yard.queue(concurrency=6, shards=shards) if shards > 1 else yard.queue(concurrency=6)
        await queue.add_many([("x", number, {"key": "one"}) for number in range(600)])
        await yard.work(note)
        await eventually(lambda: len(started) == 600)
    assert crossed.crossed > 0
    assert started == list(range(600))


@pytest.mark.parametrize(("shards", "method"), [(1, "wait_and_take"), (3, "wait")])
async def test_a_job_starts_before_the_next_wait_is_put_together(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch, shards: int, method: str
) -> None:
    seen: list[str] = []
    waits = getattr(BlockingTaker, method)

    async def wait(taker: BlockingTaker, *arguments: Any) -> Any:
        seen.append("wait")
        return await waits(taker, *arguments)

    async def start(job: Job[Any]) -> None:
        seen.append("start")

    monkeypatch.setattr(BlockingTaker, method, wait)
    async with Yard(redis_url, prefix) as yard:
        queue = yard.queue(concurrency=6, shards=shards) if shards > 1 else yard.queue(concurrency=6)
        await yard.work(start)
        await eventually(lambda: len(seen) >= shards)
        for _ in range(3):
            seen.clear()
            job = await queue.add("x")
            assert await job.wait_for_result(20) is None
            await eventually(lambda: len(seen) >= 2)
            assert seen[:2] == ["start", "wait"]

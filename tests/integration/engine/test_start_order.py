"""Jobs start in the order in which they were added, also with several calls under way."""

import asyncio
import contextlib
from typing import Any

import pytest

from stockyard import Job
from stockyard._store.jobs.finishing import finish_and_take
from tests.support.waiting import eventually
from tests.support.yard import Yard


class CrossedReplies:
    """Hands the reply of every other call out behind the next one's, as a server's replies may arrive."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._number = 0
        self._came = asyncio.Event()
        self.crossed = 0

    async def __call__(self, *arguments: Any) -> Any:
        self._number += 1
        is_held = self._number % 2 == 1
        reply = await self._call(*arguments)
        if is_held:
            self._came.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), 0.005)
                self.crossed += 1
        else:
            self._came.set()
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

"""Runs what waits in a queue, call by call, in the calling task: no waiting connection, no background loops."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Self

from stockyard._aio.retry_delay import RetryDelay
from stockyard.app.app import App
from stockyard.consume.options import WorkerOptions
from stockyard.consume.shard_worker import ShardWorker
from stockyard.model.job import JobProcessor
from stockyard.topology import Router


class Burst:
    """A worker that is driven by hand: each ``step`` writes what ended and takes as many jobs as may run.

    Its parts are those of a real worker: gates, limits, retries, batches, effects, middleware and hooks are what
    they are in production. What runs in the background of a worker is left out: it waits for no marker, looks for
    no stalled jobs, and hears of no cancellation.

    Args:
        app: where the queue is.
        queue: its name.
        processor, options: those of ``App.worker``.
    """

    def __init__(
        self, app: App, queue: str, processor: JobProcessor[Any] | Router | None, options: WorkerOptions
    ) -> None:
        self.queue: str = queue
        self._worker = app.worker(queue, processor, **options)
        self._retry_delay = RetryDelay()
        self._failure: BaseException | None = None
        self._opened = AsyncExitStack()

    @property
    def running(self) -> list[str]:
        """Ids of the jobs that run."""
        return [job_id for shard in self._shards for job_id in shard.active.job_ids()]

    @property
    def next_due(self) -> int:
        """When the next delayed job of the queue is due, in ms since the epoch, as far as is known; 0 for none."""
        return min((due for shard in self._shards if (due := shard.fetcher._demand._next_due)), default=0)

    @property
    def trouble(self) -> str:
        """Why the last call to the server failed; empty when it did not."""
        return next((shard.heartbeat.trouble for shard in self._shards if shard.heartbeat.trouble), "")

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nothing is to be written."""
        return not any(shard.fetcher.in_hand for shard in self._shards)

    async def step(self) -> int:
        """Write what ended, and start what may start; return how many jobs started or ended."""
        return sum([await self._step(shard) for shard in self._shards])

    def begin_batches(self) -> None:
        """Call batch handlers with the jobs that they have: no other job can start."""
        self._worker._execution.begin_batches()

    async def wait(self, seconds: float) -> None:
        """Return when a run has ended that is to be written, or after this time."""
        waits = [asyncio.create_task(shard.work.wait()) for shard in self._shards]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def __aenter__(self) -> Self:
        worker = self._worker
        await self._opened.enter_async_context(worker._lifespan())
        await worker._execution.warm(worker._handlers)
        await worker._prepare()
        await worker._keeper.start(worker.id, worker._lock_ms, worker._shards.lose)
        for shard in self._shards:
            await worker._cancels.halts.start(shard.id, shard.keyspace)
        return self

    async def __aexit__(self, *_: object) -> None:
        worker = self._worker
        for shard in self._shards:
            await shard.active.hand_back_all()
            await shard.fetcher.flush(1)
            await worker._announcer.wait()
            await worker._cancels.halts.stop(shard.id)
            await shard.fetcher.stop()
        await worker._execution.stop(1)
        worker._keeper.stop(worker.id)
        await self._opened.aclose()

    @property
    def _shards(self) -> list[ShardWorker]:
        return self._worker._shards.all

    async def _step(self, shard: ShardWorker) -> int:
        fetcher = shard.fetcher
        shard.work.clear()
        ended = fetcher._batch()
        before = fetcher.in_hand
        await fetcher._turn(ended, max(fetcher.room, 0), self._retry_delay)
        if ended:
            await self._worker._announcer.wait()
        return len(ended) + max(fetcher.in_hand - before, 0)

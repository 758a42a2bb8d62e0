"""Gathers the adds of one turn of the loop, so that they travel in few calls and in the order made."""

from __future__ import annotations

import asyncio
from collections import deque

from stockyard._store.add_stream import AddStream
from stockyard._store.adding import BATCH, NewJob
from stockyard._store.link import QueueLink
from stockyard.errors import ServerRefused

_ON_THE_WIRE = 2
"""Batches written and not answered: the server never waits for us, and nobody waits long behind us."""


class Batcher:
    """Pending adds of one queue in one loop.

    A batch leaves when it is full or when the turn of the loop ends, whichever is first, so the server works on
    the first adds of a turn while the last are still being made.

    Args:
        link: the queue.
    """

    def __init__(self, link: QueueLink) -> None:
        self._stream = AddStream(link)
        self._loop = asyncio.get_running_loop()
        self._jobs: list[NewJob] = []
        self._futures: list[asyncio.Future[str]] = []
        self._written: deque[list[asyncio.Future[str]]] = deque()
        self._task: asyncio.Task[None] | None = None

    def add(self, job: NewJob) -> asyncio.Future[str]:
        """Line a job up; the future gives its id, or the error of the call that carried it."""
        future: asyncio.Future[str] = self._loop.create_future()
        self._jobs.append(job)
        self._futures.append(future)
        if len(self._jobs) >= BATCH and self._may_write():
            self._write()
        if self._task is None:
            self._task = self._loop.create_task(self._run())
        return future

    async def _run(self) -> None:
        try:
            while self._jobs or self._written:
                await self._go_on()
        finally:
            self._task = None

    async def _go_on(self) -> None:
        """Write what waits, then settle the oldest batch; an error settles all that it concerns."""
        try:
            if self._jobs:
                if not self._stream.is_open and not self._written:
                    await self._stream.open()
                while self._jobs and self._may_write():
                    self._write()
        except Exception as error:
            _fail(self._futures, error)
            self._jobs, self._futures = [], []
        if not self._written:
            return
        futures = self._written.popleft()
        try:
            ids = await self._stream.read()
        except ServerRefused as error:
            _fail(futures, error)
            return
        except Exception as error:
            # What was written behind it went the same way.
            for lost in [futures, *self._written]:
                _fail(lost, error)
            self._written.clear()
            return
        for future, job_id in zip(futures, ids, strict=True):
            if not future.done():
                future.set_result(job_id)

    def _may_write(self) -> bool:
        return len(self._written) < _ON_THE_WIRE and self._stream.is_open

    def _write(self) -> None:
        jobs, self._jobs = self._jobs[:BATCH], self._jobs[BATCH:]
        futures, self._futures = self._futures[:BATCH], self._futures[BATCH:]
        if any(future.done() for future in futures):
            # Their callers were cancelled before anything was sent.
            kept = [(job, future) for job, future in zip(jobs, futures, strict=True) if not future.done()]
            jobs, futures = [job for job, _ in kept], [future for _, future in kept]
        if jobs:
            self._stream.write(jobs)
            self._written.append(futures)


def _fail(futures: list[asyncio.Future[str]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)

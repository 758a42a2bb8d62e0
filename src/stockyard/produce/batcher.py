"""Gathers the adds of one turn of the loop, so that they travel in few calls and in the order made."""

from __future__ import annotations

import asyncio

from stockyard._store.adding import NewJob, add_jobs
from stockyard._store.link import QueueLink

_LARGEST = 1000
"""Jobs of one round trip; more go in the next."""


class Batcher:
    """Pending adds of one queue in one loop.

    Args:
        link: the queue.
    """

    def __init__(self, link: QueueLink) -> None:
        self._link = link
        self._pending: list[tuple[NewJob, asyncio.Future[str]]] = []
        self._flush: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    def add(self, job: NewJob) -> asyncio.Future[str]:
        """Line a job up; the future gives its id, or the error of the call that carried it."""
        future: asyncio.Future[str] = self._loop.create_future()
        self._pending.append((job, future))
        if self._flush is None:
            self._flush = self._loop.create_task(self._send_all())
        return future

    async def _send_all(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending[:_LARGEST], self._pending[_LARGEST:]
                await self._send([each for each in batch if not each[1].done()])
        finally:
            self._flush = None
            for _, future in self._pending:
                future.cancel()
            self._pending.clear()

    async def _send(self, batch: list[tuple[NewJob, asyncio.Future[str]]]) -> None:
        try:
            answers = await add_jobs(self._link, [job for job, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, str):
                future.set_result(answer)
            else:
                future.set_exception(answer)

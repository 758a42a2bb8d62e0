"""Gathers the adds of one turn of the loop, so that they travel in few calls and in the order made."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Sequence
from typing import Any

from stockyard._aio.shared import cancelled
from stockyard._store.jobs.add_stream import AddStream
from stockyard._store.jobs.adding import BATCH, Answer, ExistingJob, NewJob, SentJob
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.load_size import LoadSize
from stockyard.errors import ReplyLost, ServerRefused
from stockyard.model.durability import Durability

_ON_THE_WIRE = 3
"""Batches written and not answered: the server never waits for us, and nobody waits long behind us."""

_OPENING = BATCH // 2
"""Jobs that make a batch full while the server has nothing of ours to do: it begins the sooner."""


class Batcher:
    """Pending adds of one queue in one loop.

    A batch leaves when it is full, by the number of its jobs or by their bytes, or when the turn of the loop ends,
    whichever is first, so the server works on the first adds of a turn while the last are still being made. Jobs
    with ties, and those that a queue arranges, are added by other scripts: a batch ends where the kind changes.

    Args:
        keyspace: the queue.
        durability: what has to be safe before an add is answered. Defaults to nothing.
    """

    def __init__(self, keyspace: QueueKeyspace, *, durability: Durability | None = None) -> None:
        self._stream = AddStream(keyspace, durability=durability)
        # Each batch waits for its confirmation: one that begins sooner would make the other wait for both.
        self._opening = _OPENING if durability is None else BATCH
        self._loop = asyncio.get_running_loop()
        self._jobs: list[Any] = []
        self._others = 0
        self._bytes = 0
        self._size = LoadSize()
        self._futures: list[asyncio.Future[str | ExistingJob]] = []
        self._written: deque[tuple[list[asyncio.Future[str | ExistingJob]], int]] = deque()
        self._being_read: list[asyncio.Future[str | ExistingJob]] = []
        self._on_the_wire = 0
        self._task: asyncio.Task[None] | None = None

    def add(self, job: SentJob) -> asyncio.Future[str | ExistingJob]:
        """Line a job up; the future gives its id or what is there instead, or the error of its call."""
        if type(job) is not NewJob:
            self._others += 1
        future: asyncio.Future[str | ExistingJob] = self._loop.create_future()
        self._jobs.append(job)
        self._futures.append(future)
        self._bytes += len(job.data)
        is_full = self._bytes >= self._size.bytes or len(self._jobs) >= (BATCH if self._written else self._opening)
        if is_full and self._may_write():
            self._write()
        if self._task is None:
            self._task = self._loop.create_task(self._run())
        return future

    @property
    def is_gathering(self) -> bool:
        """Whether jobs are lined up that are not written yet: another one travels with them."""
        return bool(self._jobs)

    async def add_all(self, jobs: Sequence[SentJob]) -> Sequence[Answer | BaseException]:
        """Add jobs in the order given; return what became of each, or the error of its call."""
        return await asyncio.gather(*map(self.add, jobs), return_exceptions=True)

    async def _run(self) -> None:
        try:
            while self._jobs or self._written:
                await self._write_next()
        except BaseException:
            # Nobody waits for ever, and nobody is taken for cancelled who is not.
            for futures in [self._being_read, *(written for written, _ in self._written), self._futures]:
                _fail(futures, cancelled("a call that adds jobs"))
            self._written.clear()
            self._jobs, self._futures, self._others, self._bytes, self._on_the_wire = [], [], 0, 0, 0
            raise
        finally:
            self._task = None

    async def _write_next(self) -> None:
        """Write what waits, then settle the oldest batch; an error settles all that it concerns."""
        try:
            if self._jobs:
                if not self._stream.is_open and not self._written:
                    await self._stream.open()
                while self._jobs and self._may_write():
                    self._write()
        except Exception as error:
            _fail(self._futures, error)
            self._jobs, self._futures, self._others, self._bytes = [], [], 0, 0
        if not self._written:
            return
        futures, carried = self._written.popleft()
        self._being_read = futures
        self._on_the_wire -= carried
        try:
            answers = await self._stream.read()
        except ServerRefused as error:
            _fail(futures, error)
            return
        except Exception as error:
            # What was written behind it went the same way.
            for lost, _ in [(futures, carried), *self._written]:
                _fail(lost, error)
            self._written.clear()
            self._on_the_wire = 0
            if isinstance(error, ReplyLost):
                self._size.shrink()
            return
        self._size.grow()
        for future, answer in zip(futures, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _may_write(self) -> bool:
        # Large batches do not queue up behind each other: the first one's reply would wait for all their bytes.
        has_room = len(self._written) < _ON_THE_WIRE and self._on_the_wire < self._size.bytes
        return has_room and self._stream.is_open

    def _write(self) -> None:
        size = self._run_length() if self._others else BATCH
        if self._bytes > self._size.bytes:
            size = within(self._size.bytes, self._jobs[:size])
        if self._others and type(self._jobs[0]) is not NewJob:
            self._others -= size
        jobs, self._jobs = self._jobs[:size], self._jobs[size:]
        futures, self._futures = self._futures[:size], self._futures[size:]
        carried = sum(len(job.data) for job in jobs) if self._jobs else self._bytes
        self._bytes -= carried
        if any(future.done() for future in futures):
            # Their callers were cancelled before anything was sent.
            kept = [(job, future) for job, future in zip(jobs, futures, strict=True) if not future.done()]
            jobs, futures = [job for job, _ in kept], [future for _, future in kept]
        if jobs:
            self._stream.write(jobs)
            self._written.append((futures, carried))
            self._on_the_wire += carried

    def _run_length(self) -> int:
        """Return how many of the first jobs are of one kind."""
        kind = type(self._jobs[0])
        return sum(1 for _ in itertools.takewhile(lambda job: type(job) is kind, self._jobs[:BATCH]))


def within(most_bytes: int, jobs: Sequence[Any]) -> int:
    """Return how many of the first jobs carry so many bytes together; at least one."""
    total = 0
    for number, job in enumerate(jobs):
        total += len(job.data)
        if number and total > most_bytes:
            return number
    return len(jobs)


def _fail(futures: list[asyncio.Future[str | ExistingJob]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)

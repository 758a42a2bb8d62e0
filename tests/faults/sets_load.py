"""A producer and a worker on a set of servers while one of them goes away, and what became of the jobs."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any, Self

import redis

from stockyard import Job, ReplyLost, ServerUnavailable, Worker
from tests.support.waiting import eventually, ticks
from tests.support.yard import Yard

_EVERY = 0.025

_SETTLED_WITHIN = 60
"""Seconds: a lease of 10 s runs out, others get as long to renew theirs, and two looks later the job goes back."""


@dataclass
class Fate:
    """What became of the jobs of a load.

    Attributes:
        acknowledged: how many adds were confirmed.
        lost: of those, how many the server does not know any more.
        doubled: jobs that ran to their end more than once.
    """

    acknowledged: int
    lost: int
    doubled: int


class Load:
    """Adds 40 jobs a second to one queue, each until it is acknowledged, and runs them.

    Args:
        yard: of the servers.
        queue: its name.

    Attributes:
        worker: runs them.
        acknowledged: ids of jobs whose add was confirmed.
        ended: when each handler returned, and the job's id.
        running: ids of jobs whose handlers run now.
    """

    def __init__(self, yard: Yard, queue: str = "q") -> None:
        self.queue = yard.queue(queue, lock="10s", remove_on_complete=False, remove_on_fail=False)
        self.worker: Worker
        self.acknowledged: list[str] = []
        self.ended: list[tuple[float, str]] = []
        self.running: set[str] = set()
        self._yard = yard
        self._adding: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._long_ends = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.worker = await self._yard.work(self._handle, queue=self.queue.name, concurrency=4)
        self._producing = asyncio.create_task(self._produce())
        await eventually(lambda: len(self.ended) > 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        self._long_ends.set()
        await self._producing
        for task in self._adding:
            task.cancel()

    async def add_long(self) -> None:
        """Add a job whose handler runs until the end of the load; return when it has begun."""
        await self.queue.add("long", job_id="long")
        await eventually(lambda: "long" in self.running)

    async def is_renewed_at(self, server: "redis.Redis") -> None:
        """Return once the lease of the long job was renewed at a server; closes the client."""
        lock = self.queue._keyspace.keys.of_job("long", "lock")
        with server:
            left: Any = server.pttl(lock)
            await eventually(lambda: server.pttl(lock) > left, every=0.05)

    async def stalls_of(self, job_id: str) -> int:
        """Return how often a job lost its worker."""
        job = await self.queue.get_job(job_id)
        assert job is not None
        return job.stalled_count

    async def goes_on(self, since: float) -> float:
        """Return how many seconds after a time the first job ended that ended after it."""
        await eventually(lambda: any(at > since for at, _ in self.ended), within=40)
        return next(at for at, _ in self.ended if at > since) - since

    def gap(self, since: float) -> float:
        """Return the longest time between the ends of two jobs, from a time on until now."""
        times = [since, *(at for at, _ in self.ended if at > since), time.monotonic()]
        return max(later - earlier for earlier, later in pairwise(times))

    async def settle(self) -> Fate:
        """End the load, let every job end, and compare what ran with what the server says."""
        self._over.set()
        self._long_ends.set()
        await self._producing
        if self._adding:
            await asyncio.wait(self._adding)
        await eventually(self._is_drained, within=_SETTLED_WITHIN, every=0.1)
        records: dict[str, Job[Any]] = {}
        for page in count(1):
            found = await self.queue.get_jobs("completed", page=page, size=1000)
            records |= {job.id: job for job in found}
            if len(found) < 1000:
                break
        assert all(job.return_value == job.id for job in records.values())
        ended = Counter(job_id for _, job_id in self.ended)
        assert records.keys() <= ended.keys(), "completed, and nobody ran it"
        assert await self.queue.count("failed") == 0
        return Fate(
            len(self.acknowledged),
            len(set(self.acknowledged) - records.keys()),
            sum(times > 1 for times in ended.values()),
        )

    async def _is_drained(self) -> bool:
        return await self.queue.count("waiting", "active", "delayed") == 0

    async def _handle(self, job: Job[Any]) -> str:
        self.running.add(job.id)
        if job.name == "long":
            await self._long_ends.wait()
        self.ended.append((time.monotonic(), job.id))
        self.running.discard(job.id)
        return job.id

    async def _produce(self) -> None:
        async for number in ticks(_EVERY):
            if self._over.is_set():
                return
            # Not one behind the other: those who add do not wait for one another either.
            task = asyncio.create_task(self._add(f"job-{number}"))
            self._adding.add(task)
            task.add_done_callback(self._adding.discard)

    async def _add(self, job_id: str) -> None:
        async for _ in ticks(0.0):
            try:
                await self.queue.add("x", job_id=job_id)
            except (ServerUnavailable, ReplyLost):
                continue
            self.acknowledged.append(job_id)
            return

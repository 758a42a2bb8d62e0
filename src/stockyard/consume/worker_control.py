"""What a program does to a worker while it works, and what it sees of it."""

from __future__ import annotations

import asyncio

from stockyard._aio.together import of_each
from stockyard._store.net.server import Server
from stockyard.consume.heartbeat import HealthCheck
from stockyard.consume.run.execution import Execution
from stockyard.consume.shard_worker import ShardWorkers
from stockyard.model import checks


class WorkerControl:
    """The concurrency, the pauses and the signs of life of a worker."""

    queue: str
    _concurrency: int
    _execution: Execution
    _shards: ShardWorkers
    _server: Server
    _is_paused: bool
    _is_running: bool
    _stopped: asyncio.Event

    @property
    def concurrency(self) -> int:
        """Jobs at a time; assign it to change that, up or down. Jobs that run beyond a lower number go on."""
        return self._concurrency

    @concurrency.setter
    def concurrency(self, jobs: int) -> None:
        self._concurrency = checks.whole("concurrency", jobs, least=1)
        self._execution.resize(jobs)
        for shard in self._shards.all:
            shard.fetcher.resize(jobs)

    @property
    def is_running(self) -> bool:
        """Whether ``run`` has begun and not ended."""
        return self._is_running and not self._stopped.is_set()

    @property
    def is_paused(self) -> bool:
        """Whether ``pause`` was called last, and not ``resume``."""
        return self._is_paused

    @property
    def running(self) -> int:
        """How many jobs it runs at this moment."""
        return len(self._shards)

    async def pause(self, *, wait: bool = True) -> None:
        """Take no more jobs until ``resume``; other workers of the queue go on. ``Queue.pause`` stops all.

        It keeps its connections, its leases and its place among the queue's workers. A worker that does not run
        yet begins paused.

        Args:
            wait: return only when the jobs in hand have ended and that is written; while the server is away, that
                takes until it answers. Defaults to True. False returns at once: a call under way may still bring
                jobs.

        Raises:
            InvalidOption: ``wait`` is neither True nor False.
        """
        checks.flag("wait", wait)
        self._is_paused = True
        for shard in self._shards.all:
            shard.fetcher.pause()
        if wait:
            await of_each(self._shards.all, lambda shard: shard.fetcher.rest())

    def resume(self) -> None:
        """Take jobs again after ``pause``; a ``pause`` that still waits returns."""
        self._is_paused = False
        for shard in self._shards.all:
            shard.fetcher.resume()

    def health_checks(self) -> list[HealthCheck]:
        """Return signs of life: its phase, the server, its loop, its taking; may be called in any thread."""
        trouble = self._server.trouble
        health_checks = [check for shard in self._shards.all for check in shard.health_checks(trouble)]
        if health_checks and (lost := self._execution.lost):
            detail = f"{lost} of {self.concurrency} places are lost to threads that hang"
            health_checks.append(
                HealthCheck(f"{self.queue}: threads", False, detail, is_fatal=lost >= self.concurrency)
            )
        return health_checks

"""Hears which running jobs are cancelled, and that halts have changed, on one connection for all workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

import msgspec

from stockyard._aio.retry_delay import RetryDelay
from stockyard._store.jobs.cancelling import CancelChannel, read_cancelled
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard.consume.halt_watch import HaltWatch
from stockyard.errors import ServerError

_log = logging.getLogger(__name__)


class CancelTarget(msgspec.Struct, frozen=True):
    """A worker, as the listener sees it.

    Attributes:
        keyspace: its queue.
        running: gives the ids of the jobs that it runs.
        cancel: cancels the run of a job, by its id and the reason; does nothing for a job that it does not run.
    """

    keyspace: QueueKeyspace
    running: Callable[[], Iterable[str]]
    cancel: Callable[[str, str], None]


class CancelListener:
    """Passes cancellations on to the workers that run the jobs; connected as long as there are workers.

    Args:
        server: the server.
        halts: knows what is halted.
    """

    def __init__(self, server: Server, halts: HaltWatch) -> None:
        self._server = server
        self.halts: HaltWatch = halts
        self._targets: dict[str, CancelTarget] = {}
        self._channel: CancelChannel | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, worker: str, target: CancelTarget) -> None:
        """Serve a worker from now on."""
        self._targets[worker] = target
        await self.halts.start(worker, target.keyspace)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="cancellations")
        elif self._channel is not None:
            self._channel.listen(target.keyspace)

    async def stop(self, worker: str) -> None:
        """End serving a worker; the last one ends the connection. Stopping twice is fine."""
        self._targets.pop(worker, None)
        await self.halts.stop(worker)
        task = self._task
        if not self._targets and task is not None:
            self._task = None
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        # Its own, so that a worker that starts while this one ends gets another.
        channel = self._channel = CancelChannel(self._server, self.halts.channel)
        retry_delay = RetryDelay()
        try:
            while True:
                try:
                    await channel.open(lambda: [target.keyspace for target in self._targets.values()])
                    while True:
                        await self._hear(channel)
                        retry_delay.reset()
                except ServerError as error:
                    # The workers' own connections log what is wrong with the server.
                    _log.debug("cancellations are not heard: %s", error)
                    channel.drop()
                    await retry_delay.wait()
        finally:
            if self._channel is channel:
                self._channel = None
            await channel.close()

    async def _hear(self, channel: CancelChannel) -> None:
        received = await channel.hear()
        if received.halts_changed:
            self.halts.hear()
        for queue, refusal in received.refused:
            _log.warning(
                "jobs of queue %s that run here cannot be cancelled: %s; allow this user to subscribe to its "
                "channel, as deploy/users.acl does",
                queue,
                refusal,
            )
        for queue, cancelled in received.cancelled:
            for target in self._of(queue):
                target.cancel(cancelled.job_id, cancelled.reason)
        for queue in received.begun:
            for target in self._of(queue):
                for missed in await read_cancelled(target.keyspace, list(target.running())):
                    target.cancel(missed.job_id, missed.reason)

    def _of(self, queue: str) -> list[CancelTarget]:
        return [target for target in self._targets.values() if target.keyspace.shard_queue == queue]

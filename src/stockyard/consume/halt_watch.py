"""Knows which queues and keys are halted, for all workers of an App, and sees that their queues follow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stockyard._aio.repeats import repeats
from stockyard._store import halting
from stockyard._store.halting import CurrentHalts, HaltsKeyspace
from stockyard._store.keyspace import QueueKeyspace
from stockyard.errors import ServerError
from stockyard.model.halt import Halt

_log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks at the record; a change is heard of before the next."""


class QueueHalts(NamedTuple):
    """What is halted of one queue.

    Attributes:
        whole: the halt of all of its jobs, or None.
        keys: halts by key.
    """

    whole: Halt | None
    keys: dict[str, Halt]

    def first_of(self, keys: Sequence[str]) -> Halt | None:
        """Return the halt of one of these keys, or None."""
        return next((self.keys[key] for key in keys if key in self.keys), None)


class HaltWatch:
    """Reads the record of halts, for all workers of an App.

    A queue that is halted is paused by the program that halts it. A worker looks as well: its queue may be one
    that this program does not declare, or was resumed by another, as Node's ``queue.resume()`` does.

    Attributes:
        by_queue: what is halted, by queue; one without halts is not there.

    Args:
        halts: the record.
    """

    def __init__(self, halts: HaltsKeyspace) -> None:
        self.by_queue: Mapping[str, QueueHalts] = {}
        self._halts = halts
        self._served: dict[str, QueueKeyspace] = {}
        self._applied: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    @property
    def channel(self) -> str:
        """The channel that says that halts have changed."""
        return self._halts.channel

    def of(self, queue: str) -> QueueHalts | None:
        """Return what is halted of a queue, None for nothing."""
        return self.by_queue.get(queue)

    async def start(self, worker: str, keyspace: QueueKeyspace) -> None:
        """Serve a worker from now on; before it takes its first job, its queue is halted if it is to be."""
        self._served[worker] = keyspace
        try:
            await self._look()
        except ServerError as error:
            # The worker's own connections log what is wrong with the server, and the next look makes up for it.
            _log.debug("halts are not known: %s", error)
        if self._task is None and self._served:
            self._wake = asyncio.Event()
            self._task = asyncio.create_task(self._run(), name="halts")

    async def stop(self, worker: str) -> None:
        """End serving a worker; the last one ends the looks. Stopping twice is fine."""
        self._served.pop(worker, None)
        self._applied.pop(worker, None)
        task = self._task
        if not self._served and task is not None:
            self._task = None
            task.cancel()
            await asyncio.wait([task])

    def hear(self) -> None:
        """Look at once: halts have changed, or a change may have been missed."""
        self._wake.set()

    async def _run(self) -> None:
        failed = ""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self._look()
            except ServerError as error:
                failed = str(error)
                repeats.warn(_log, "halts are not looked at", error)
            else:
                if failed:
                    repeats.over(failed)
                failed = ""

    async def _look(self) -> None:
        current = await halting.read(self._halts)
        served = dict(self._served)
        # First, so that runs which begin meanwhile know of it.
        self.by_queue = {
            keyspace.queue: found
            for keyspace in served.values()
            if (found := _halts_of(current, keyspace.queue)) is not None
        }
        due = {
            worker: keyspace
            for worker, keyspace in served.items()
            if keyspace.queue in self.by_queue or self._applied.get(worker) != current.version
        }
        await halting.apply_to_all(due.values(), current)
        self._applied |= dict.fromkeys(due, current.version)


def _halts_of(current: CurrentHalts, queue: str) -> QueueHalts | None:
    halts = current.of(queue)
    whole = next((halt for halt in halts if halt.key is None), None)
    return QueueHalts(whole, {halt.key: halt for halt in halts if halt.key is not None}) if halts else None

"""What the objects of one queue have in common: its names, and the engine behind it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from stockyard.compat.bullmq.event_emitter import EventEmitter
from stockyard.compat.bullmq.share import Share
from stockyard.manual import ManualWorker, TakenJob
from stockyard.produce.queue import Queue as EngineQueue
from stockyard.schedule.schedules import Schedules


class QueueObject(EventEmitter):
    """An object of one queue.

    Args:
        name: the queue.
        opts: the object's options, with ``connection`` and ``prefix``.
        share: connections to use, those of another object. Defaults to a share of its own.

    Attributes:
        name, opts: as given.
        prefix: first part of its keys.
        qualifiedName: the queue's name with the prefix.
    """

    def __init__(self, name: str, opts: Mapping[str, Any] | None, share: Share | None = None) -> None:
        super().__init__()
        self.name = name
        self.opts: dict[str, Any] = dict(opts or {})
        self._share = share or Share(self.opts)
        self.prefix: str = self._share.prefix
        self.qualifiedName = f"{self.prefix}:{name}"

    def toKey(self, type: str) -> str:  # noqa: A002
        """Return the key of a part of the queue, or of a job."""
        return f"{self.qualifiedName}:{type}"

    @property
    def engine_queue(self) -> EngineQueue:
        """The queue of the engine: ``stockyard.Queue``."""
        return self._share.queue(self.name)

    @property
    def engine_schedules(self) -> Schedules:
        """The schedules of the engine: ``stockyard.Schedules``."""
        return self._share.app.schedules(self.name)

    @cached_property
    def manual_worker(self) -> ManualWorker:
        """What takes and ends jobs by hand: ``stockyard.manual.ManualWorker``."""
        return self._share.app.manual_worker(self.name)

    async def taken(self, job_id: str, token: str) -> TakenJob:
        """Return a job that was taken by hand under a token, to end it."""
        return await self.manual_worker.resume(job_id, token)

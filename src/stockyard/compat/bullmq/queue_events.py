"""Listens to the events of a queue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

from stockyard._store.jobs.streams import Entry
from stockyard.compat.bullmq.queue_object import QueueObject
from stockyard.events import Event, EventGap
from stockyard.events import QueueEvents as EngineEvents

_JSON_FIELDS = {"progress": "data", "completed": "returnvalue"}


class QueueEvents(QueueObject):
    """Calls listeners for what happens in a queue, wherever it happens.

    Args:
        name: the queue.
        opts: ``connection``, ``prefix``, ``lastEventId`` (the event to go on behind; ``"$"``, the default, begins
            now, ``"0"`` with the oldest), ``autorun``. With ``autorun``, the default, it begins at once, and needs
            a running event loop.

    Events: those of the queue's stream, as in ``completed`` (``{"jobId": …, "returnvalue": …}``, event id), and of
    a job ``completed:<job id>`` as well; ``drained`` (event id); ``error`` (error); ``gap``
    (``{"after": …, "first": …}``, event id), where the server dropped events before they could be read.
    """

    def __init__(self, name: str, opts: Mapping[str, Any] | None = None) -> None:
        super().__init__(name, {"lastEventId": "$", "autorun": True, **(opts or {})})
        self.running = self.closing = self.closed = False
        last = str(self.opts["lastEventId"])
        app = self._share.app
        self._entries = _Entries(
            self.engine_queue._keyspace,
            after=None if last == "$" else last if "-" in last else f"{last}-0",
            only=(),
            job_ids=(),
            portal=app._portal,
        )
        self._task: asyncio.Task[Any] | None = None
        if self.opts["autorun"]:
            self._task = asyncio.ensure_future(self._autorun())

    async def _autorun(self) -> None:
        try:
            await self.run()
        except Exception as error:
            self.emit("error", error)

    async def run(self) -> None:
        """Listen until it is closed. A server that goes away is waited for.

        Raises:
            RuntimeError: it listens already.
            stockyard.ServerError: the server cannot be reached at the beginning.
        """
        if self.running:
            raise RuntimeError("QueueEvents is already running.")
        if self.closing:
            return
        self.running = True
        self._task = self._task or asyncio.current_task()
        try:
            async with self._entries as events:
                async for event in events:
                    self._dispatch(event)
        finally:
            self.running = False

    def _dispatch(self, event: Event) -> None:
        if isinstance(event, EventGap):
            self.emit("gap", {"after": event.id, "first": event.first_id}, event.id)
            return
        entry = cast("Entry", event)
        of_job = f"{entry.name}:{entry.job_id}"
        if not self.has_listeners(entry.name) and not self.has_listeners(of_job):
            return
        args: dict[str, Any] = dict(entry.fields)
        field = _JSON_FIELDS.get(entry.name)
        if field in args:
            # What is no JSON stays the text that it is.
            with suppress(ValueError):
                args[field] = json.loads(args[field])
        if entry.name == "drained":
            self.emit(entry.name, entry.id)
            return
        self.emit(entry.name, args, entry.id)
        if entry.job_id:
            self.emit(of_job, args, entry.id)

    async def close(self) -> None:
        """Stop listening, and close the connection; closing twice is fine."""
        if self.closing:
            return
        self.closing = True
        await self._entries.aclose()
        task = self._task
        if task is not None and task is not asyncio.current_task():
            with suppress(Exception):
                await task
        await self._share.close()
        self.closed = True


class _Entries(EngineEvents):
    """The entries of the stream as they are, instead of typed events."""

    def _wanted(self, entries: Iterable[Entry]) -> list[Event]:
        return cast("list[Event]", list(entries))

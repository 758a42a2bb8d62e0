"""Reads a queue's events one after another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable
from typing import Self

from stockyard._aio.portal import Portal
from stockyard._aio.reader import RetryingReader
from stockyard._aio.repeats import repeats
from stockyard._store.jobs.event_decoding import event_of
from stockyard._store.jobs.streams import Entry, EventStream
from stockyard._store.keyspace import QueueKeyspace
from stockyard.blocking import BlockingQueueEvents
from stockyard.errors import InvalidOption, ServerError
from stockyard.model import checks
from stockyard.model.event import Event, EventGap, JobEvent
from stockyard.model.fixed import Fixed

_log = logging.getLogger(__name__)
_LOOK_AGAIN = 5.0
_FEW, _MANY = 20, 300
_GATHERING = 0.005
"""Seconds between two reads that bring more than a few events and less than a call holds."""


class QueueEvents(Fixed, RetryingReader[Event]):
    """The events of one queue, in order, on a connection of its own.

    Made by ``App.events``. The position is fixed on entering, so that whatever happens inside the block is seen:

        async with app.events("mail") as events:
            await app.queue("mail").add("welcome")
            async for event in events:
                match event:
                    case CompletedEvent(job_id=job_id, return_value=value): ...
                    case EventGap(): ...

    A server that goes away is waited for; reading goes on behind the last event, without loss or doubling, and
    a ``EventGap`` stands for what the server itself lost.

    Raises:
        ServerUnavailable, ServerRefused: on entering, the server cannot be reached or does not let the events be
            read. Afterwards it is tried again until it can.
    """

    def __init__(
        self,
        keyspace: QueueKeyspace,
        *,
        after: str | None,
        only: Collection[type[Event]],
        job_ids: Collection[str],
        portal: Portal,
    ) -> None:
        if after is not None:
            checks.stream_id("after", after, of="an event")
        kinds = checks.several("only", only, of="types of stockyard.events")
        if not all(isinstance(each, type) and issubclass(each, Event) for each in kinds):
            raise InvalidOption(
                f"only must be types of stockyard.events, as in (CompletedEvent, FailedEvent); got {only!r}"
            )
        ids = checks.several("job_ids", job_ids, of="ids")
        super().__init__()
        self.queue: str = keyspace.queue
        self._stream = EventStream(keyspace, after)
        self._kinds: tuple[type[Event], ...] = kinds or (Event,)
        self._job_ids = frozenset(ids)
        self._is_choosy = bool(kinds or ids)
        self._is_behind = False
        self._portal = portal
        self._is_made = True

    @property
    def sync(self) -> BlockingQueueEvents:
        """These events for code without a running loop, with plain ``with`` and ``for``."""
        view: BlockingQueueEvents = self._portal.blocking(self)
        return view

    async def earlier(self, count: int) -> list[Event]:
        """Return the events before the one that comes next, oldest first: what led to now, if that is the place.

        Args:
            count: so many are looked at; those of kinds and jobs that are not asked for are left out.

        Raises:
            InvalidOption: the count is no whole number above 0.
        """
        checks.whole("count", count, least=1)
        async with self._turn:
            await self.__aenter__()
            next_id = self._ready[0].id if self._ready else None
            return self._wanted(await self._stream.read_back(count, next_id))

    async def aclose(self) -> None:
        """Disconnect and end the iteration; closing twice is fine."""
        self._is_closed = True
        self._stream.drop()
        await self._stream.close()

    async def __aenter__(self) -> Self:
        if self._loop is None:
            await self._stream.start()
            self._loop = asyncio.get_running_loop()
        return self

    async def __anext__(self) -> Event:
        if self._ready and not self._is_closed:
            return self._ready.popleft()
        return await self._next()

    async def _read(self) -> None:
        if self._is_behind:
            # While much is added, each call would wake this process for a few events: they come together instead.
            await asyncio.sleep(_GATHERING)
        entries, gap = await self._stream.read(_LOOK_AGAIN)
        self._is_behind = _FEW < len(entries) < _MANY
        if gap is not None:
            self._ready.append(EventGap(id=gap.after, queue=self.queue, first_id=gap.first))
        self._ready.extend(self._wanted(entries))

    def _warn(self, error: ServerError) -> None:
        repeats.warn(_log, f"events of {self.queue} cannot be read; trying again", error)

    def _wanted(self, entries: Iterable[Entry]) -> list[Event]:
        found = [event_of(entry, self.queue) for entry in entries]
        return [each for each in found if self._is_wanted(each)] if self._is_choosy else found

    def _is_wanted(self, event: Event) -> bool:
        if not isinstance(event, self._kinds):
            return False
        return not self._job_ids or (isinstance(event, JobEvent) and event.job_id in self._job_ids)

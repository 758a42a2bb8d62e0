"""Watches queues and server by rules, as the only one among all processes, and tells of what begins and ends."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from stockyard._aio.service import Periodic
from stockyard.errors import ServerError, StockyardError
from stockyard.model.clock import Clock
from stockyard.observe.alert_book import AlertBook
from stockyard.observe.alerts import Alert, Rule
from stockyard.observe.incidents import Incident, Silence, advance, to_tell, told
from stockyard.observe.notify import Notifier

_log = logging.getLogger("stockyard.alerts")
_RESIGNING = 1.0
_TERMS = 3
"""Intervals after which a watcher that fell silent is replaced."""


class Watcher:
    """Evaluates rules in every interval if no other process does.

    What is found is stored before it is told and again afterwards, so that another process that takes over tells
    what was not told, and a notification is repeated only if its process died between the two.

    Args:
        book: shared by all processes.
        rules: for how long each must hold, besides what it says.
        look: takes snapshots and returns the alerts that hold now.
        notifiers: told of what begins and ends.
        interval: seconds between two looks.
        clock: gives the time that is written.
    """

    def __init__(
        self,
        book: AlertBook,
        *,
        rules: Sequence[Rule],
        look: Callable[[], Awaitable[list[Alert]]],
        notifiers: Sequence[Notifier],
        interval: float,
        clock: Clock,
    ) -> None:
        self._book = book
        self._durations = {rule.name: rule.for_ms for rule in rules}
        self._look = look
        self._notifiers = {each.name: each for each in notifiers}
        self._interval = interval
        self._clock = clock
        self._token = uuid.uuid4().hex
        self._periodic = Periodic(self.watch, interval, name="alert watcher")
        self._is_leader = False

    @property
    def is_leader(self) -> bool:
        """Whether this process was the one that watched at the last look."""
        return self._is_leader

    async def start(self) -> None:
        """Look now, and then in every interval."""
        await self._periodic.start()

    async def stop(self) -> None:
        """End, and let another process watch at once; stopping twice is fine."""
        await self._periodic.stop()
        if self._is_leader:
            self._is_leader = False
            # A server that is away must not hold up who stops: the leader's term ends by itself.
            with suppress(ServerError, TimeoutError):
                async with asyncio.timeout(_RESIGNING):
                    await self._book.resign(self._token)

    async def watch(self) -> None:
        """Look once."""
        found = await self._lead()
        self._is_leader = found is not None
        if found is None:
            return
        known, silences = found
        now = self._clock()
        incidents = advance(known, await self._look(), self._durations, now=now)
        pending = to_tell(incidents.values(), silences, self._notifiers, now=now)
        if not await self._record(incidents, []) or not pending:
            return
        answers = await self._tell_all(pending)
        delivered: dict[str, list[str]] = {}
        for (each, name), was_taken in zip(pending, answers, strict=True):
            if was_taken:
                delivered.setdefault(each.name, []).append(name)
        history = [incidents[name] for name in delivered if not incidents[name].told]
        for name, by in delivered.items():
            after = told(incidents.pop(name), by)
            if after is not None:
                incidents[name] = after
        await self._record(incidents, history)

    async def _record(self, incidents: dict[str, Incident], history: Sequence[Incident]) -> bool:
        self._is_leader = await self._book.record(self._token, incidents, history)
        return self._is_leader

    async def _lead(self) -> tuple[dict[str, Incident], list[Silence]] | None:
        return await self._book.lead(self._token, int(self._interval * _TERMS * 1000))

    async def _tell_all(self, pending: Sequence[tuple[Incident, str]]) -> list[bool]:
        telling = asyncio.gather(*(self._tell(each, name) for each, name in pending))
        try:
            while not (await asyncio.wait([telling], timeout=self._interval))[0]:
                # However long a webhook takes, nobody else is to tell the same meanwhile.
                with suppress(ServerError):
                    await self._lead()
            return telling.result()
        finally:
            telling.cancel()

    async def _tell(self, incident: Incident, notifier: str) -> bool:
        try:
            await self._notifiers[notifier].tell(incident)
        except Exception as error:
            shown = error if isinstance(error, StockyardError) else repr(error)
            _log.error("alert %s could not be told by %s: %s", incident.name, notifier, shown)
            return False
        return True

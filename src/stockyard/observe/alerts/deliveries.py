"""The notifications under way: sent beside the looks, each with a deadline, one per incident and notifier."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from stockyard.errors import StockyardError
from stockyard.observe.alerts.incidents import Incident
from stockyard.observe.alerts.notifiers import Notifier

_log = logging.getLogger(__name__)
LONGEST = 15.0
"""Seconds after which a notification of any notifier counts as failed."""
_AT_ONCE = 4
"""Notifications of one notifier that are sent at the same time."""


class Deliveries:
    """Sends notifications in the background.

    Args:
        notifiers: those that may be asked to send.
        delivered: called with an incident and the notifier that delivered it.
    """

    def __init__(
        self, notifiers: Sequence[Notifier], delivered: Callable[[Incident, str], Awaitable[None]]
    ) -> None:
        self._notifiers = {notifier.name: notifier for notifier in notifiers}
        self._delivered = delivered
        self._places = {name: asyncio.Semaphore(_AT_ONCE) for name in self._notifiers}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    @property
    def notifiers(self) -> Sequence[str]:
        """Names of the notifiers."""
        return list(self._notifiers)

    @property
    def incidents(self) -> set[str]:
        """Names of the incidents of which a notification is under way."""
        return {incident for incident, _ in self._tasks}

    def start(self, pending: Sequence[tuple[Incident, str]]) -> None:
        """Begin to send; what is under way for the same incident and notifier ends first."""
        for incident, notifier in pending:
            key = incident.name, notifier
            if key not in self._tasks:
                task = asyncio.create_task(self._send(incident, notifier), name=f"notify {notifier}")
                self._tasks[key] = task
                task.add_done_callback(partial(self._ended, key))

    async def wait(self, seconds: float) -> bool:
        """Wait at most so long; return whether all have ended."""
        tasks = list(self._tasks.values())
        if not tasks:
            return True
        _, running = await asyncio.wait(tasks, timeout=seconds)
        return not running

    async def stop(self) -> None:
        """Give up what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _send(self, incident: Incident, notifier: str) -> None:
        try:
            # The wait for a place counts: an incident's end is not held back by others' notifications.
            async with asyncio.timeout(LONGEST), self._places[notifier]:
                await self._notifiers[notifier].notify(incident)
        except TimeoutError:
            self._complain(incident, notifier, f"it took longer than {LONGEST:g} s")
            return
        except Exception as error:
            self._complain(incident, notifier, error if isinstance(error, StockyardError) else repr(error))
            return
        try:
            await self._delivered(incident, notifier)
        except StockyardError as error:
            _log.warning(
                "alert %s was sent by %s, which could not be recorded, and may be sent again: %s",
                incident.name,
                notifier,
                error,
            )

    def _ended(self, key: tuple[str, str], _task: asyncio.Task[None]) -> None:
        del self._tasks[key]

    @staticmethod
    def _complain(incident: Incident, notifier: str, why: object) -> None:
        _log.error("alert %s could not be sent by %s: %s", incident.name, notifier, why)

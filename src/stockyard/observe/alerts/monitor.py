"""Monitors queues and server by rules, in one process of all, and notifies when alerts fire and resolve."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from stockyard._aio.service import Periodic, Service
from stockyard.errors import ServerError
from stockyard.model.clock import Clock
from stockyard.observe.alerts.deliveries import Deliveries
from stockyard.observe.alerts.incidents import Incident, Silence, Status, advance, notified, pending_notifications
from stockyard.observe.alerts.notifiers import Notifier
from stockyard.observe.alerts.rules import Alert, Rule
from stockyard.observe.alerts.store import AlertStore

_RESIGNING = 1.0
_LEADER_INTERVALS = 3
"""Intervals after which a leader that does not renew is replaced."""


class AlertMonitor:
    """Evaluates rules in every interval if no other process does.

    Incidents are stored before and after they are sent, so that another process that takes over sends
    what was not sent, and a notification is repeated only if its process died between the two. Notifications are
    sent beside the looks: a receiver that answers slowly, or not at all, delays neither the next look nor the
    leader's term.

    Args:
        store: shared by all processes.
        rules: for how long each must hold, besides what it says.
        look: takes snapshots and returns the alerts that hold now.
        notifiers: send what fires and what resolves.
        interval: seconds between two looks.
        clock: gives the time that is written.
        beside: services that start and stop with it. Defaults to none.
    """

    def __init__(
        self,
        store: AlertStore,
        *,
        rules: Sequence[Rule],
        look: Callable[[], Awaitable[list[Alert]]],
        notifiers: Sequence[Notifier],
        interval: float,
        clock: Clock,
        beside: Sequence[Service] = (),
    ) -> None:
        self._beside = beside
        self._store = store
        self._durations = {rule.name: rule.for_ms for rule in rules}
        self._look = look
        self._interval = interval
        self._clock = clock
        self._token = uuid.uuid4().hex
        self._deliveries = Deliveries(notifiers, self._delivered)
        self._periodic = Periodic(self._once, interval, name="alert monitor")
        self._turn = asyncio.Lock()
        self._is_leader = False

    @property
    def is_leader(self) -> bool:
        """Whether this process led at the last look."""
        return self._is_leader

    async def start(self) -> None:
        """Look now, and then in every interval."""
        for service in self._beside:
            await service.start()
        await self._periodic.start()

    async def stop(self) -> None:
        """End, and let another process lead at once; stopping twice is fine."""
        await self._periodic.stop()
        for service in self._beside:
            await service.stop()
        await self._deliveries.stop()
        if self._is_leader:
            self._is_leader = False
            # A server that is away must not hold up who stops: the leader's term ends by itself.
            with suppress(ServerError, TimeoutError):
                async with asyncio.timeout(_RESIGNING):
                    await self._store.resign(self._token)

    async def check_once(self) -> None:
        """Look once, and wait until the notifications of this look are sent or have failed."""
        await self._once()
        while not await self._deliveries.wait(self._interval):
            # However long a receiver takes, no other process may send the same meanwhile.
            with suppress(ServerError):
                await self._lead()

    async def _once(self) -> None:
        async with self._turn:
            found = await self._lead()
            self._is_leader = found is not None
        if found is None:
            return
        alerts = await self._look()
        async with self._turn:
            # Notifications that ended during the look have changed what is known.
            found = await self._lead()
            self._is_leader = found is not None
            if found is None:
                return
            known, silences = found
            now = self._clock()
            incidents = self._still_sending(known, advance(known, alerts, self._durations, now=now))
            pending = pending_notifications(incidents.values(), silences, self._deliveries.notifiers, now=now)
            if await self._record(incidents, []):
                self._deliveries.start(pending)

    def _still_sending(self, known: Mapping[str, Incident], after: dict[str, Incident]) -> dict[str, Incident]:
        """Let an incident end only after the notification that it fires: then its receiver learns of the end."""
        for name in self._deliveries.incidents & known.keys():
            ends = name not in after or after[name].status is Status.RESOLVED
            if ends and known[name].status is Status.FIRING:
                after[name] = known[name]
        return after

    async def _delivered(self, incident: Incident, notifier: str) -> None:
        async with self._turn:
            found = await self._lead()
            if found is None:
                return
            incidents = found[0]
            current = incidents.get(incident.name)
            is_first = not incident.notified
            if current is not None and (current.since, current.status) == (incident.since, incident.status):
                is_first = not current.notified
                after = notified(incidents.pop(incident.name), [notifier])
                if after is not None:
                    incidents[incident.name] = after
            await self._record(incidents, [incident] if is_first else [])

    async def _record(self, incidents: dict[str, Incident], history: Sequence[Incident]) -> bool:
        self._is_leader = await self._store.record(self._token, incidents, history)
        return self._is_leader

    async def _lead(self) -> tuple[dict[str, Incident], list[Silence]] | None:
        return await self._store.lead(self._token, int(self._interval * _LEADER_INTERVALS * 1000))

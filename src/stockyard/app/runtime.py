"""What an App has on its server: made when first asked for, closed and forgotten together."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from stockyard._aio.cached_property import CachedProperty
from stockyard._aio.portal import Portal
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard._store.net.server_at import server_at
from stockyard.config import Address, Settings
from stockyard.events import QueueEvents
from stockyard.events.results import Results
from stockyard.model.clock import Clock
from stockyard.produce.job_port import StoredJobs
from stockyard.produce.queue import Queue
from stockyard.topology import QueueSpec, Topology

if TYPE_CHECKING:
    from stockyard.cache.caches import Caches
    from stockyard.consume.cancel_listener import CancelListener
    from stockyard.consume.worker import Worker
    from stockyard.embedded import EmbeddedServer
    from stockyard.leases.keeper import LeaseKeeper
    from stockyard.observe.app_monitor import AppMonitor
    from stockyard.observe.doctor.checks import Finding
    from stockyard.observe.doctor.preflight import Preflight
    from stockyard.pubsub.channels import Channels


class Runtime:
    """One server with an App's parts on it; an embedded one is held until ``release``.

    Args:
        topology: the queues.
        settings: where it is.
        workers: gives the App's.
        clock: gives the time that is written.
        portal: for callers without a loop.
    """

    def __init__(
        self,
        topology: Topology,
        settings: Settings,
        *,
        workers: Callable[[], Iterable[Worker]],
        clock: Clock,
        portal: Portal,
    ) -> None:
        self._topology = topology
        self._settings = settings
        self._workers = workers
        self._portal = portal
        self._held: EmbeddedServer | None = None
        address = settings.address
        if address.is_embedded:
            from stockyard.embedded.server import acquire_address

            self._held, address = acquire_address(address)
        self.server: Server = server_at(address, call_timeout=settings.call_timeout, clock=clock)
        self._naming = settings.naming(topology.slots)
        self._keyspaces: dict[str, QueueKeyspace] = {}
        self._queues: dict[str, Queue] = {}
        self._ports: dict[str, StoredJobs] = {}
        self._results: dict[str, Results] = {}
        self._events: weakref.WeakSet[QueueEvents] = weakref.WeakSet()

    def keyspace(self, spec: QueueSpec) -> QueueKeyspace:
        """Return a queue's keys here."""
        keyspace = self._keyspaces.get(spec.name)
        if keyspace is not None:
            return keyspace
        # One step, so that threads that come first at the same time get the same one.
        made = QueueKeyspace(self.server, self._naming, spec.name)
        return self._keyspaces.setdefault(spec.name, made)

    def port(self, spec: QueueSpec) -> StoredJobs:
        """Return the port of a queue's jobs."""
        port = self._ports.get(spec.name)
        if port is not None:
            return port
        keyspace = self.keyspace(spec)
        results = self._results.setdefault(spec.name, Results(keyspace))
        made = StoredJobs(keyspace, results=results, find=spec.router.get, portal=self._portal)
        return self._ports.setdefault(spec.name, made)

    def queue(self, spec: QueueSpec) -> Queue:
        """Return a queue; asked again, the same."""
        queue = self._queues.get(spec.name)
        if queue is not None:
            return queue
        made = Queue(spec, keyspace=self.keyspace(spec), jobs=self.port(spec), portal=self._portal)
        return self._queues.setdefault(spec.name, made)

    def add_reader(self, events: QueueEvents) -> None:
        """Close this reader of events, too, when its loop closes what it opened."""
        self._events.add(events)

    @CachedProperty
    def keeper(self) -> LeaseKeeper:
        """Renews the leases of all workers of the App."""
        from stockyard.leases.keeper import LeaseKeeper

        return LeaseKeeper(self.server.address, naming=self._naming)

    @CachedProperty
    def cancels(self) -> CancelListener:
        """Passes cancellations on to the workers of the App."""
        from stockyard.consume.cancel_listener import CancelListener

        return CancelListener(self.server)

    @CachedProperty
    def preflight(self) -> Preflight:
        """Judges whether workers may start here."""
        from stockyard.observe.doctor.preflight import Preflight

        return Preflight(self.server, naming=self._naming, trusts=self._settings.trust_server)

    async def check_server(self) -> list[Finding]:
        """Look at the server, and at one of the caches alone; return every finding, the dangers first."""
        from stockyard.observe.doctor.checks import check_server, examine_cache, in_order

        settings, trusts = self._settings, self._settings.trust_server
        found = await check_server(self.server, naming=self._naming, trusts=trusts, queues=self._topology.names)
        if self._cache_address.is_server_of(self.server.address):
            return found
        second = server_at(self._cache_address, call_timeout=settings.call_timeout)
        try:
            has_budget = settings.cache_bytes is not None
            return in_order([*found, await examine_cache(second, has_budget=has_budget, trusts=trusts)])
        finally:
            await second.aclose()

    @CachedProperty
    def channels(self) -> Channels:
        """The channels that were asked for."""
        from stockyard.pubsub.channels import Channels

        return Channels(self.server, self._naming, portal=self._portal)

    @property
    def _cache_address(self) -> Address:
        return self._settings.cache or self.server.address

    @CachedProperty
    def caches(self) -> Caches:
        """The caches, on this server or on one of their own."""
        from stockyard.cache.caches import Caches

        settings, address = self._settings, self._cache_address
        return Caches(
            address,
            naming=self._naming,
            call_timeout=settings.call_timeout,
            budget=settings.cache_bytes,
            is_bounded=settings.cache_bytes is not None or address.is_server_of(self.server.address),
            portal=self._portal,
        )

    @CachedProperty
    def monitor(self) -> AppMonitor:
        """Reads all this for alerts, metrics and probes."""
        from stockyard.observe.app_monitor import AppMonitor

        return AppMonitor(
            self._topology,
            server=self.server,
            naming=self._naming,
            keyspace=self.keyspace,
            workers=self._workers,
            caches=lambda: self.caches.stats() if "caches" in vars(self) else {},
            channels=lambda: self.channels.stats() if "channels" in vars(self) else {},
            portal=self._portal,
            clock=self.server.clock,
        )

    async def aclose(self) -> None:
        """Close what this loop opened: readers of events, channels and results, loads of caches, connections."""
        here = asyncio.get_running_loop()
        for events in [each for each in self._events if each.loop is here]:
            await events.aclose()
        if "channels" in vars(self):
            await self.channels.aclose()
        for results in self._results.values():
            await results.aclose()
        if "caches" in vars(self):
            await self.caches.aclose()
        await self.server.aclose()

    def close(self) -> bool:
        """Close what belongs to no loop, and release an embedded server; say whether there was one."""
        if "caches" in vars(self):
            self.caches.close()
        self.server.close()
        held, self._held = self._held, None
        if held is not None:
            held.release()
        return held is not None

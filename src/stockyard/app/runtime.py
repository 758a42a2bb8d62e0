"""What an App has on its server: made when first asked for, closed and forgotten together."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from stockyard._aio.cached_property import CachedProperty
from stockyard._aio.portal import Portal
from stockyard._store.halting import HaltsKeyspace
from stockyard._store.jobs.streams import BEGINNING
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard._store.net.server_at import server_at
from stockyard._store.shard_map import ShardMap
from stockyard.app.kill_switch import KillSwitch
from stockyard.config import Address, Settings
from stockyard.effects.gate import EffectGate
from stockyard.errors import ConfigError, InvalidOption, ServerUnavailable
from stockyard.events import Event, QueueEvents
from stockyard.events.results import Results
from stockyard.model.clock import Clock
from stockyard.model.sharding import shards_of
from stockyard.produce.job_port import StoredJobs
from stockyard.produce.queue import Queue
from stockyard.topology import QueueSpec, Topology

if TYPE_CHECKING:
    from stockyard.cache.caches import Caches
    from stockyard.consume.cancel_listener import CancelListener
    from stockyard.consume.worker import Worker
    from stockyard.consume.worker_metrics import WorkerMetrics
    from stockyard.effects.effects import Effects
    from stockyard.embedded import EmbeddedServer
    from stockyard.leases.keeper import LeaseKeeper
    from stockyard.limits.app_limits import AppLimits
    from stockyard.observe.app_monitor import AppMonitor
    from stockyard.observe.doctor.finding import Finding
    from stockyard.observe.doctor.preflight import Preflight
    from stockyard.observe.health import QueueHealth
    from stockyard.pubsub.channels import Channels
    from stockyard.schedule.schedules import Schedules


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
        self._shard_maps: dict[str, ShardMap] = {}
        self._queues: dict[str, Queue] = {}
        self._ports: dict[str, StoredJobs] = {}
        self._retired: dict[str, WorkerMetrics] = {}
        self._results: dict[str, Results] = {}
        self._events: weakref.WeakSet[QueueEvents] = weakref.WeakSet()

    def shard_map(self, spec: QueueSpec) -> ShardMap:
        """Return the shards of a queue; one without shards is its own.

        Raises:
            ConfigError: the prefix has a hash tag, which would put all shards into one slot.
        """
        shard_map = self._shard_maps.get(spec.name)
        if shard_map is not None:
            return shard_map
        # One step, so that threads that come first at the same time get the same one.
        made = self._made_shard_map(spec)
        return self._shard_maps.setdefault(spec.name, made)

    def _made_shard_map(self, spec: QueueSpec) -> ShardMap:
        server, naming, name = self.server, self._naming, spec.name
        unsharded = QueueKeyspace(server, naming, name, arrangement=spec.arrangement, indexed=spec.indexed)
        if spec.shards > 1 and "{" in naming.prefix:
            raise ConfigError(
                f"queue {name!r} has shards, each with a slot of its own, and the prefix {naming.prefix!r} has a "
                "hash tag, which puts all queues into one: leave the braces out"
            )

        def of_number(number: int) -> list[QueueKeyspace]:
            shards = shards_of(name, number, self._topology.slots)
            return [
                QueueKeyspace(
                    server, naming, name, shard=shard, arrangement=spec.arrangement, indexed=spec.indexed
                )
                for shard in shards
            ]

        declared = [unsharded] if spec.shards == 1 else of_number(spec.shards)
        return ShardMap(declared, unsharded=unsharded, of_number=of_number)

    def keyspace(self, spec: QueueSpec) -> QueueKeyspace:
        """Return the keys of a queue without shards.

        Raises:
            InvalidOption: it has shards.
        """
        if spec.shards > 1:
            raise InvalidOption(
                f"queue {spec.name!r} has shards: it takes no part in flows and effects, which need one slot"
            )
        return self.shard_map(spec).declared[0]

    def port(self, spec: QueueSpec) -> StoredJobs:
        """Return the port of the jobs of a queue without shards; the error is that of ``keyspace``."""
        return self._port_at(spec, self.keyspace(spec))

    async def learn_places(self, spec: QueueSpec) -> list[tuple[QueueKeyspace, StoredJobs]]:
        """Return the keys of each shard that a worker is to serve, with the port of its jobs.

        Raises:
            ServerError: the server did not answer.
        """
        return [(each, self._port_at(spec, each)) for each in await self.shard_map(spec).learn(notes=True)]

    def places(self, spec: QueueSpec) -> list[tuple[QueueKeyspace, StoredJobs]]:
        """Return the keys of each declared shard of a queue, with the port of its jobs."""
        return [(each, self._port_at(spec, each)) for each in self.shard_map(spec).declared]

    def _port_at(self, spec: QueueSpec, keyspace: QueueKeyspace) -> StoredJobs:
        name = keyspace.shard_queue
        port = self._ports.get(name)
        if port is not None:
            return port
        results = self._results.setdefault(name, Results(keyspace))
        made = StoredJobs(
            keyspace,
            results=results,
            find=spec.router.get,
            portal=self._portal,
            effects=EffectGate(
                keyspace,
                venue=spec.venue,
                is_reconciled=spec.on_unknown is not None,
                may_run_once=spec.delivery == "at_most_once",
            ),
        )
        return self._ports.setdefault(name, made)

    def queue(self, spec: QueueSpec) -> Queue:
        """Return a queue; asked again, the same."""
        queue = self._queues.get(spec.name)
        if queue is not None:
            return queue
        if spec.shards == 1:
            return self._queues.setdefault(spec.name, self._queue_at(spec, self.keyspace(spec)))
        from stockyard.produce.sharded_queue import ShardedQueue

        shard_map, portal = self.shard_map(spec), self._portal
        sharded = ShardedQueue(spec, shard_map=shard_map, make=partial(self._queue_at, spec), portal=portal)
        return self._queues.setdefault(spec.name, sharded)

    def _queue_at(self, spec: QueueSpec, keyspace: QueueKeyspace) -> Queue:
        return Queue(spec, keyspace=keyspace, jobs=self._port_at(spec, keyspace), portal=self._portal)

    def schedules(self, spec: QueueSpec) -> Schedules:
        """Return the schedules of a queue."""
        from stockyard.schedule.schedules import Schedules

        make = partial(Schedules, spec, portal=self._portal)
        if spec.shards == 1:
            return make(keyspace=self.keyspace(spec))
        from stockyard.schedule.sharded_schedules import ShardedSchedules

        return ShardedSchedules(
            spec, shard_map=self.shard_map(spec), make=lambda each: make(keyspace=each), portal=self._portal
        )

    def events(
        self, spec: QueueSpec, after: str | None, *, only: Collection[type[Event]], job_ids: Collection[str]
    ) -> QueueEvents:
        """Return a reader of a queue's events, which is closed when its loop closes what it opened."""
        make = partial(QueueEvents, after=after, only=only, job_ids=job_ids, portal=self._portal)
        events = make(self.shard_map(spec).declared[0])
        if spec.shards > 1:
            from stockyard.events.sharded_events import ShardedQueueEvents

            if after not in (None, BEGINNING):
                raise InvalidOption(
                    f"after must be {BEGINNING!r} or left out for queue {spec.name!r}, which has shards: "
                    f"each numbers its events by itself; got {after!r}"
                )
            events = ShardedQueueEvents(self.shard_map(spec), make=make, portal=self._portal)
        self._events.add(events)
        return events

    async def health(self, specs: Sequence[QueueSpec]) -> list[QueueHealth]:
        """Return snapshots of queues, in one round trip."""
        from stockyard.observe.health import read_health

        queues = [await self.shard_map(spec).learn() for spec in specs]
        for queue in queues[:1]:
            await queue[0].learn_time()
        return await read_health(queues, now=self.server.clock())

    def _shard_specs(self, spec: QueueSpec) -> list[QueueSpec]:
        """Return the queue as one for each of its shards, for what looks at keys."""
        shards = self.shard_map(spec).all
        return [spec] if spec.shards == 1 else [replace(spec, name=each.shard_queue, shards=1) for each in shards]

    @CachedProperty
    def effects(self) -> Effects:
        """The effects of all queues."""
        from stockyard.effects.effects import Effects

        return Effects(self._topology, keyspace=self.keyspace, portal=self._portal)

    @CachedProperty
    def keeper(self) -> LeaseKeeper:
        """Renews the leases of all workers of the App."""
        from stockyard.leases.keeper import LeaseKeeper

        return LeaseKeeper(self.server.address, naming=self._naming)

    @CachedProperty
    def cancels(self) -> CancelListener:
        """Passes cancellations, and changes of halts, on to the workers of the App."""
        from stockyard.consume.cancel_listener import CancelListener
        from stockyard.consume.halt_watch import HaltWatch

        return CancelListener(self.server, HaltWatch(self.halts))

    @CachedProperty
    def halts(self) -> HaltsKeyspace:
        """The record of all halts."""
        return HaltsKeyspace(self.server, self._naming)

    @CachedProperty
    def kill_switch(self) -> KillSwitch:
        """Halts and resumes queues."""
        return KillSwitch(self.halts, self._topology, self.server, self.shard_map)

    @CachedProperty
    def preflight(self) -> Preflight:
        """Judges whether workers may start here."""
        from stockyard.observe.doctor.preflight import Preflight

        return Preflight(self.server, naming=self._naming, trusts=self._settings.trust_server)

    async def check_server(self) -> list[Finding]:
        """Look at the server, and at one of the caches alone; return every finding, the dangers first."""
        from stockyard.observe.doctor.checks import check_server, examine_cache
        from stockyard.observe.doctor.finding import in_order
        from stockyard.observe.doctor.halted import diagnose_halts, unread_halts

        settings, trusts = self._settings, self._settings.trust_server
        queues = [each for spec in self._topology for each in self._shard_specs(spec)]
        found = await check_server(
            self.server, naming=self._naming, trusts=trusts, queues=queues, egress=settings.egress
        )
        try:
            halts = diagnose_halts(await self.kill_switch.current())
        except ServerUnavailable as error:
            # Of a cluster without a primary somewhere, the other findings are wanted all the more.
            halts = unread_halts(error)
        found = in_order([*found, halts])
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

    @CachedProperty
    def limits(self) -> AppLimits:
        """The limits that were asked for."""
        from stockyard.limits.app_limits import AppLimits

        return AppLimits(
            self.server,
            self._naming,
            topology=self._topology,
            egress=self._settings.egress,
            portal=self._portal,
        )

    def take_limits(self, spec: QueueSpec) -> dict[str, Any] | None:
        """Return what a worker of a queue needs of the limits of its jobs' calls, or None.

        Raises:
            ConfigError: on a cluster, they and the queue are in different slots.
        """
        if spec.limits is None:
            return None
        from stockyard._store.jobs.admitting import take_limits

        held = self.limits.open(spec.limits).queues
        egress = self._settings.egress
        return take_limits(spec.limits, spec.defaults, self._naming, spec.name, egress=egress, queues=held)

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

    def retire(self, queue: str, metrics: WorkerMetrics) -> None:
        """Keep what a worker counted that is gone: a process counts from its own start."""
        # Called when its memory is freed, at any moment: this imports nothing, and makes no monitor.
        kept = self._retired.get(queue)
        if kept is None:
            kept = self._retired[queue] = type(metrics)()
        kept.add(metrics)

    @CachedProperty
    def monitor(self) -> AppMonitor:
        """Reads all this for alerts, metrics and probes."""
        from stockyard.observe.app_monitor import AppMonitor

        return AppMonitor(
            self._topology,
            server=self.server,
            naming=self._naming,
            shard_map=self.shard_map,
            workers=self._workers,
            others=self._retired,
            caches=lambda: self.caches.stats() if "caches" in vars(self) else {},
            channels=lambda: self.channels.stats() if "channels" in vars(self) else {},
            limits=lambda: self.limits.stats() if "limits" in vars(self) else {},
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

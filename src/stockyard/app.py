"""Binds a topology to a server: opens and closes every part in a written order."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, Unpack, overload

from stockyard import embedded
from stockyard._aio.portal import Portal
from stockyard._store.inspecting import read_server
from stockyard._store.link import QueueLink
from stockyard._store.server import Server
from stockyard._store.watching import AlertStore
from stockyard.cache.cache import Cache
from stockyard.cache.caches import Caches
from stockyard.cache.options import CacheOptions
from stockyard.config import Address, Settings
from stockyard.consume.lease_keeper import LeaseKeeper
from stockyard.consume.lease_table import Lease
from stockyard.consume.worker import Worker, WorkerOptions
from stockyard.errors import InvalidOption, suggestion
from stockyard.events import Event, QueueEvents
from stockyard.events.results import Results
from stockyard.model.clock import Clock, system_clock
from stockyard.model.job import Job
from stockyard.observe.alert_book import AlertBook
from stockyard.observe.alert_settings import AlertSettings
from stockyard.observe.alerts import Alert, Rule, evaluate
from stockyard.observe.doctor import Finding, examine
from stockyard.observe.ground import Ground
from stockyard.observe.health import QueueHealth, read_health
from stockyard.observe.rules import operational_rules, queue_rules
from stockyard.observe.watcher import Watcher
from stockyard.produce.flows import Flows
from stockyard.produce.job_port import StoredJobs
from stockyard.produce.queue import Queue
from stockyard.pubsub.channel import Channel
from stockyard.pubsub.channels import Channels
from stockyard.pubsub.open_channel import OpenChannel
from stockyard.schedule.schedules import Schedules
from stockyard.topology import QueueSpec, Router, Topology

T = TypeVar("T")
_WORKER_OPTIONS = tuple(WorkerOptions.__dataclass_fields__)


class App:
    """A topology on a server.

    Args:
        topology: the queues.
        redis: URL of the server. Defaults to ``REDIS_URL`` of the environment or ``.env``, else
            ``redis://localhost:6379``; ``embedded://`` starts one.
        settings: all settings, instead of ``redis``.
        clock: gives the time that is written. Defaults to the machine's.

    Raises:
        ConfigError: settings are wrong; every problem is named.

    Connections open at the first call, so an App may be made at import; ``async with`` or ``aclose`` ends them.

    Example:
        async with App(shop) as app:
            await app.queue("mail").add("welcome", Welcome(to="a@b.c"), delay="5m")
            await app.worker("mail").run()
    """

    def __init__(
        self,
        topology: Topology,
        redis: str | None = None,
        *,
        settings: Settings | None = None,
        prefix: str | None = None,
        call_timeout: float | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.topology = topology
        self.settings = settings or Settings.load(redis, prefix=prefix, call_timeout=call_timeout)
        self._clock = clock
        self._embedded: embedded.EmbeddedServer | None = None
        self._server: Server | None = None
        self._portal = Portal()
        self._queues: dict[str, Queue] = {}
        self._ports: dict[str, StoredJobs] = {}
        self._results: dict[str, Results] = {}
        self._links: dict[str, QueueLink] = {}
        self._keeper: LeaseKeeper | None = None
        self._ground: Ground | None = None
        self._caches: Caches | None = None
        self._channels: Channels | None = None
        self._workers: weakref.WeakSet[Worker] = weakref.WeakSet()
        self._events: weakref.WeakSet[QueueEvents] = weakref.WeakSet()

    @property
    def url(self) -> str:
        """The server's URL, its password masked."""
        return str(self._reached().address)

    @property
    def sync(self) -> Any:
        """This app for code without a running loop: ``app.sync.health()`` blocks until it is done."""
        return self._portal.blocking(self)

    def queue(self, name: str) -> Queue:
        """Return a queue; asked again, the same.

        Raises:
            UnknownQueue: the topology does not declare it; the message lists those that it does.
        """
        spec = self.topology.spec(name)
        queue = self._queues.get(spec.name)
        if queue is None:
            queue = self._queues[spec.name] = Queue(
                spec, link=self._link(spec), jobs=self._port(spec), portal=self._portal
            )
        return queue

    def schedules(self, name: str) -> Schedules:
        """Return the schedules of a queue.

        Raises:
            UnknownQueue: the topology does not declare it.
        """
        spec = self.topology.spec(name)
        return Schedules(spec, link=self._link(spec), portal=self._portal)

    @property
    def flows(self) -> Flows:
        """Trees of jobs across the queues: added in one step, read back."""
        return Flows(self.topology, link=self._link, port=self._port, portal=self._portal)

    def events(
        self,
        name: str,
        after: str | None = None,
        *,
        only: Collection[type[Event]] = (),
        job_ids: Collection[str] = (),
    ) -> QueueEvents:
        """Return a reader of a queue's events: ``async with app.events("mail") as events``.

        Args:
            name: the queue.
            after: id of the event to go on behind; ``"0-0"`` begins with the oldest there is. Defaults to None:
                what happens from now on.
            only: types of ``stockyard.events`` to be told of. Defaults to all. A ``Gap`` is always told.
            job_ids: jobs to be told of. Defaults to all, and to what concerns no single job.

        Raises:
            UnknownQueue: the topology does not declare it.
            InvalidOption: an argument is not what it should be.
        """
        link = self._link(self.topology.spec(name))
        events = QueueEvents(link, after=after, only=only, job_ids=job_ids, portal=self._portal)
        self._events.add(events)
        return events

    def worker(
        self, name: str, /, processor: Callable[[Job[Any]], Any] | Router | None = None, **options: Any
    ) -> Worker:
        """Make a worker of a queue; ``await worker.run()`` starts it.

        Args:
            name: the queue.
            processor: one handler for every job, or a Router. Defaults to the handlers of the queue's
                declaration.
            options: see ``WorkerOptions``.

        Raises:
            UnknownQueue: the topology does not declare it.
            HandlerError: the processor cannot serve, or there is none.
            InvalidOption: an option is not known or out of its range.
        """
        unknown = [each for each in options if each not in _WORKER_OPTIONS]
        if unknown:
            raise InvalidOption(f"unknown worker option {unknown[0]!r}{suggestion(unknown[0], _WORKER_OPTIONS)}")
        spec, chosen = self.topology.spec(name), WorkerOptions(**options)
        worker = Worker(
            spec,
            processor,
            chosen,
            link=self._link(spec),
            jobs=self._port(spec),
            keeper=self._lease_keeper(),
            check_ground=partial(self._checked_ground().check, spec, allow_eviction=chosen.allow_eviction),
        )
        self._workers.add(worker)
        return worker

    @overload
    def cache(self, name: str, type: type[T], **options: Unpack[CacheOptions]) -> Cache[T]: ...

    @overload
    def cache(self, name: str, type: Any = Any, **options: Unpack[CacheOptions]) -> Cache[Any]: ...

    def cache(self, name: str, type: Any = Any, **options: Unpack[CacheOptions]) -> Cache[Any]:  # noqa: A002
        """Return a cache; asked again by its name, the same.

        Args:
            name: begins its keys; letters, digits, '_', '.', '-', and single ':' between them.
            type: of its values: a Struct, a dataclass, a pydantic model, or what JSON has. Defaults to ``Any``.
            options: see ``CacheOptions``.

        Raises:
            InvalidOption: the name or an option is wrong, or it was declared otherwise before.
        """
        return self.caches.cache(name, type, options)

    @property
    def caches(self) -> Caches:
        """All caches of this app: what they hold on the server, and how much they may."""
        if self._caches is None:
            settings, server = self.settings, self._reached()
            address = settings.cache or server.address
            self._caches = Caches(
                address,
                prefix=settings.prefix,
                call_timeout=settings.call_timeout,
                budget=settings.cache_bytes,
                is_bounded=settings.cache is None or settings.cache_bytes is not None,
                make_keeper=lambda: LeaseKeeper(address, prefix=settings.prefix),
                lease=Lease,
                portal=self._portal,
            )
        return self._caches

    def channel(self, channel: Channel[T]) -> OpenChannel[T]:
        """Return a declared channel on this app's server, to publish and to read; asked again, the same.

        Raises:
            InvalidOption: another channel of its name was declared otherwise.
            PayloadError: its type cannot be read from JSON.
        """
        return self.channels.open(channel)

    @property
    def channels(self) -> Channels:
        """All channels of this app that were asked for."""
        if self._channels is None:
            self._channels = Channels(self._reached(), self.settings.prefix, portal=self._portal)
        return self._channels

    async def health(self, *names: str) -> list[QueueHealth]:
        """Return snapshots of the named queues, or of all, in one round trip."""
        specs = [self.topology.spec(name) for name in names] or list(self.topology)
        return await read_health([self._link(spec) for spec in specs], now=self._clock())

    async def examine(self) -> list[Finding]:
        """Look at the server as ``stockyard doctor`` does; return every finding, the dangers first."""
        return await examine(self._reached(), prefix=self.settings.prefix, trusts=self.settings.trust_server)

    def watcher(self, settings: AlertSettings | None = None, *, rules: Sequence[Rule] | None = None) -> Watcher:
        """Make a watcher of this app's queues and server; ``await watcher.start()`` begins.

        Of all watchers on a server and prefix, in whatever process, one looks at a time.

        Args:
            settings: thresholds, who is told, how often. Defaults to those of the environment and ``.env``.
            rules: Defaults to the platform's three and the operational ones, with the settings' thresholds.
        """
        chosen = settings or AlertSettings.load()
        if rules is None:
            rules = [*queue_rules(self.topology, chosen.thresholds), *operational_rules(chosen.thresholds)]

        async def look() -> list[Alert]:
            return evaluate(rules, await self.health(), await read_server(self._reached()))

        return Watcher(
            self.alerts,
            rules=rules,
            look=look,
            notifiers=chosen.notifiers,
            interval=chosen.interval,
            clock=self._clock,
        )

    @property
    def alerts(self) -> AlertBook:
        """Incidents, silences and history, shared by all processes of this server and prefix."""
        return AlertBook(AlertStore(self._reached(), self.settings.prefix), clock=self._clock)

    async def aclose(self) -> None:
        """Close what this loop opened, and the embedded server if this app was its last user.

        In order: workers that still run (what they run is handed back), those who read events or channels or
        wait for results, loads of caches, connections, the server. Closing twice is fine.
        """
        await asyncio.gather(*(worker.stop(grace=0) for worker in self._workers if worker.is_running))
        await self._close_readers()
        if self._caches is not None:
            await self._caches.aclose()
        if self._server is not None:
            await self._server.aclose()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End the thread of blocking callers and release the embedded server; for code without a loop."""
        if self._portal.is_open:
            self._portal.run(self._close_in_portal())
            self._portal.close()
        if self._caches is not None:
            self._caches.close()
        held, self._embedded = self._embedded, None
        if held is not None:
            held.release()
            self._server = None
            self._keeper = None
            self._ground = None
            self._caches = None
            self._channels = None
            self._queues.clear()
            self._ports.clear()
            self._results.clear()
            self._links.clear()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._reached)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _close_in_portal(self) -> None:
        await self._close_readers()
        if self._caches is not None:
            await self._caches.aclose()
        if self._server is not None:
            await self._server.aclose()

    async def _close_readers(self) -> None:
        here = asyncio.get_running_loop()
        for events in [each for each in self._events if each.loop is here]:
            await events.aclose()
        if self._channels is not None:
            await self._channels.aclose()
        for results in self._results.values():
            await results.aclose()

    def _reached(self) -> Server:
        if self._server is None:
            address = self.settings.address
            if address.scheme == "embedded":
                address = self._start_embedded(address)
            self._server = Server(address, call_timeout=self.settings.call_timeout)
        return self._server

    def _start_embedded(self, address: Address) -> Address:
        self._embedded = embedded.acquire(Path(address.path) if address.path else None)
        return Settings.load(self._embedded.url, dotenv=None).address

    def _lease_keeper(self) -> LeaseKeeper:
        if self._keeper is None:
            self._keeper = LeaseKeeper(self._reached().address, prefix=self.settings.prefix)
        return self._keeper

    def _checked_ground(self) -> Ground:
        if self._ground is None:
            settings = self.settings
            self._ground = Ground(self._reached(), prefix=settings.prefix, trusts=settings.trust_server)
        return self._ground

    def _link(self, spec: QueueSpec) -> QueueLink:
        link = self._links.get(spec.name)
        if link is None:
            link = self._links[spec.name] = QueueLink(
                self._reached(), self.settings.prefix, spec.name, clock=self._clock
            )
        return link

    def _port(self, spec: QueueSpec) -> StoredJobs:
        port = self._ports.get(spec.name)
        if port is None:
            results = self._results[spec.name] = Results(self._link(spec))
            port = self._ports[spec.name] = StoredJobs(self._link(spec), results=results, portal=self._portal)
        return port

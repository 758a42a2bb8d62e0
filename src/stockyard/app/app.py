"""Binds a topology to a server: opens and closes every part in a written order."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

from stockyard._aio.per_loop import PerLoop
from stockyard._aio.portal import Portal
from stockyard._aio.process_lock import ProcessLock
from stockyard.app.halt_control import HaltControl
from stockyard.app.observation import Observation
from stockyard.blocking import BlockingApp
from stockyard.config import Settings
from stockyard.errors import ServerRefused
from stockyard.model import checks
from stockyard.model.clock import Clock, system_clock
from stockyard.model.fixed import Fixed
from stockyard.topology import QueueSpec, Router, Topology

if TYPE_CHECKING:
    from stockyard.app.runtime import Runtime
    from stockyard.cache.cache import Cache
    from stockyard.cache.caches import Caches
    from stockyard.cache.options import CacheOptions
    from stockyard.consume.lifespan import Lifespan
    from stockyard.consume.manual.manual_worker import ManualWorker
    from stockyard.consume.manual.options import ManualOptions
    from stockyard.consume.options import WorkerOptions
    from stockyard.consume.worker import Worker
    from stockyard.effects.effects import Effects
    from stockyard.events import Event, QueueEvents
    from stockyard.limits.app_limits import AppLimits
    from stockyard.limits.open_limits import OpenLimits
    from stockyard.model.job import JobProcessor
    from stockyard.model.limits import Limits
    from stockyard.model.schedule import Schedule
    from stockyard.observe.metrics.metrics_server import MetricsServer
    from stockyard.produce.flows import Flows
    from stockyard.produce.queue import Queue
    from stockyard.pubsub.channel import Channel
    from stockyard.pubsub.channels import Channels
    from stockyard.pubsub.open_channel import OpenChannel
    from stockyard.schedule.schedules import Schedules

_log = logging.getLogger(__name__)
T = TypeVar("T")
_owners: weakref.WeakKeyDictionary[Worker, App] = weakref.WeakKeyDictionary()


class App(Fixed, HaltControl, Observation):
    """Binds a topology to a server: its queues, workers, caches, channels and flows.

    Args:
        topology: the queues.
        redis: URL of the server. Defaults to ``REDIS_URL`` of the environment or ``.env``, else
            ``redis://localhost:6379``; ``embedded://`` starts one.
        settings: all settings, instead of ``redis``.
        clock: gives the time of this machine. Defaults to the system's. How far it is from the server's is
            measured, and every time that is written or decides is corrected by that. That of
            ``stockyard.testing`` is taken at its word.

    Raises:
        ConfigError: settings are wrong; every problem is named.
        InvalidOption: ``topology`` is no Topology, or ``settings`` are no Settings.

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
        self.topology: Topology = checks.instance("topology", topology, Topology)
        if settings is not None:
            checks.instance("settings", settings, Settings)
        self.settings: Settings = settings or Settings.load(redis, prefix=prefix, call_timeout=call_timeout)
        self._clock = clock
        self._portal = Portal()
        self._opening = ProcessLock()
        self._opened: Runtime | None = None
        self._workers: weakref.WeakSet[Worker] = weakref.WeakSet()
        self._metrics_servers: list[MetricsServer] = []
        self._lifespans = PerLoop(self._lifespan)
        self._is_made = True

    @property
    def url(self) -> str:
        """The server's URL, its password masked."""
        return str(self._runtime().server.address)

    @property
    def sync(self) -> BlockingApp:
        """This app for code without a running loop: ``app.sync.health()`` blocks until it is done."""
        view: BlockingApp = self._portal.blocking(self)
        return view

    def queue(self, name: str) -> Queue:
        """Return a queue; asked again, the same. Raises UnknownQueue where the topology does not declare it."""
        spec = self.topology.spec(name)
        return self._runtime().queue(spec)

    def schedules(self, name: str) -> Schedules:
        """Return the schedules of a queue; raises UnknownQueue where the topology does not declare it."""
        spec = self.topology.spec(name)
        return self._runtime().schedules(spec)

    async def upsert_schedules(self, *names: str) -> tuple[Schedule, ...]:
        """Make or change the schedules that the named queues declare, or all queues; workers do so at their start.

        Raises:
            UnknownQueue: the topology does not declare one of them.
            PayloadError, HandlerError: the queue's handlers do not take a schedule's payload or name.
            ServerError: the server did not answer.
        """
        specs = [self.topology.spec(name) for name in names] or list(self.topology)
        made = [await self.schedules(spec.name).upsert_declared() for spec in specs]
        return tuple(each for of_queue in made for each in of_queue)

    @property
    def effects(self) -> Effects:
        """The effects of all queues: look at them, list them, settle them."""
        return self._runtime().effects

    @property
    def flows(self) -> Flows:
        """Trees of jobs across the queues: added in one step, read back."""
        from stockyard.produce.flows import Flows

        runtime = self._runtime()
        return Flows(self.topology, keyspace=runtime.keyspace, port=runtime.port, portal=self._portal)

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
            only: types of ``stockyard.events`` to receive. Defaults to all. A ``MessageGap`` always comes.
            job_ids: receive the events of these jobs. Defaults to all events, also those of no job.

        Raises:
            UnknownQueue: the topology does not declare it.
            InvalidOption: an argument is not what it should be; or ``after`` names an event of a queue that has
                shards.
        """
        spec = self.topology.spec(name)
        return self._runtime().events(spec, after, only=only, job_ids=job_ids)

    def worker(
        self, name: str, /, processor: JobProcessor[Any] | Router | None = None, **options: Unpack[WorkerOptions]
    ) -> Worker:
        """Make a worker of a queue; ``await worker.run()`` or ``worker.run_forever()`` starts it.

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
        from stockyard.consume.options import WorkerSpec
        from stockyard.consume.worker import Worker

        spec, chosen, runtime = self.topology.spec(name), WorkerSpec.of(options), self._runtime()
        worker = Worker(
            spec,
            processor,
            chosen,
            places=runtime.places(spec),
            learn_places=partial(runtime.learn_places, spec),
            keeper=runtime.keeper,
            cancels=runtime.cancels,
            close_app=self.aclose,
            prepare=partial(self._prepare, spec, allow_eviction=chosen.allow_eviction),
            lifespan=lambda: self._lifespans.get().around(chosen.hooks),
            limits=runtime.take_limits(spec),
        )
        self._workers.add(worker)
        _owners[worker] = self
        weakref.finalize(worker, runtime.retire, spec.name, worker.metrics).atexit = False
        return worker

    def manual_worker(self, name: str, /, **options: Unpack[ManualOptions]) -> ManualWorker:
        """Make what takes jobs of a queue by hand, for tests and for bridges to other runtimes.

        Args:
            name: the queue.
            options: see ``ManualOptions``.

        Raises:
            UnknownQueue: the topology does not declare it.
            InvalidOption: an option is not known or out of its range.
        """
        from stockyard.consume.manual.manual_worker import ManualWorker
        from stockyard.consume.manual.options import manual_spec

        spec, chosen, runtime = self.topology.spec(name), manual_spec(**options), self._runtime()
        return ManualWorker(
            spec,
            chosen,
            places=runtime.places(spec),
            learn_places=partial(runtime.learn_places, spec),
            prepare=partial(self._prepare, spec, allow_eviction=chosen.allow_eviction),
            halts=runtime.halts,
            limits=runtime.take_limits(spec),
            portal=self._portal,
        )

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
        return self._runtime().caches

    def channel(self, channel: Channel[T]) -> OpenChannel[T]:
        """Return a declared channel on this app's server; asked again, the same. See ``Channels.open``."""
        return self.channels.open(channel)

    @property
    def channels(self) -> Channels:
        """All channels of this app that were asked for."""
        return self._runtime().channels

    def limits(self, limits: Limits) -> OpenLimits:
        """Return the limits of an exchange on this app's server; asked again, the same. See ``AppLimits.open``."""
        return self.all_limits.open(limits)

    @property
    def all_limits(self) -> AppLimits:
        """All limits of exchanges, those of other programs on this server as well."""
        return self._runtime().limits

    async def aclose(self) -> None:
        """Close what this loop opened, and the embedded server if this app was its last user.

        In order: workers that still run (what they run is handed back), those who read events or channels or
        wait for results, loads of caches, connections, the server. Closing twice is fine.
        """
        await asyncio.gather(*(worker.stop(grace=0) for worker in self._workers if worker.is_running))
        if self._opened is not None:
            with self._portal.cutting_off():
                await self._opened.aclose()
        # The thread of blocking callers cannot wait for its own end: after ``app.sync.aclose()`` it stays idle.
        await asyncio.to_thread(self._release if self._portal.is_current else self.close)

    def close(self) -> None:
        """End the threads of metrics and of blocking callers, and release the embedded server; needs no loop."""
        # First, as they ask the server on the portal's loop: a request under way would be cut off.
        self._stop_metrics()
        if self._portal.is_open:
            with self._portal.cutting_off():
                if self._opened is not None:
                    self._portal.run(self._opened.aclose())
                self._portal.close()
        self._release()

    def _stop_metrics(self) -> None:
        while self._metrics_servers:
            self._metrics_servers.pop().stop()

    def _release(self) -> None:
        """End the threads of metrics, and release the embedded server."""
        self._stop_metrics()
        runtime = self._opened
        if runtime is not None and runtime.close():
            # The next server may be another one: whatever was bound to this one goes with it.
            with self._opening:
                if self._opened is runtime:
                    self._opened = None

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._runtime)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _prepare(self, spec: QueueSpec, *, allow_eviction: bool) -> bool:
        """Look at the server before a worker of the queue starts; make its schedules, and announce its limits."""
        answer = await self._runtime().preflight.check(spec, allow_eviction=allow_eviction)
        try:
            if spec.schedules:
                await self.schedules(spec.name).upsert_declared()
        except ServerRefused as error:
            # A login that may run jobs need not be one that may change schedules.
            _log.warning("schedules of queue %s are not made: %s", spec.name, error, extra={"queue": spec.name})
        if spec.limits is not None:
            await self.limits(spec.limits).announce()
        return answer

    def _lifespan(self) -> Lifespan:
        from stockyard.consume.lifespan import Lifespan

        return Lifespan(self.topology.lifespans)

    def _runtime(self) -> Runtime:
        runtime = self._opened
        if runtime is not None:
            return runtime
        # Threads that come first at the same time get the same one.
        with self._opening:
            if self._opened is None:
                # Half of what an App imports; who declares queues alone does not need it.
                from stockyard.app.runtime import Runtime

                self._opened = Runtime(
                    self.topology,
                    self.settings,
                    workers=lambda: list(self._workers),
                    clock=self._clock,
                    portal=self._portal,
                )
            return self._opened


def owner_of(worker: Worker) -> App:
    """Return the App that made a worker."""
    return _owners[worker]

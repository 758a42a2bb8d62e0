"""A worker: takes a queue's jobs and runs them until it is stopped."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from typing import Any

from stockyard._aio.repeats import repeats
from stockyard._aio.retry_delay import RetryDelay
from stockyard._aio.service import Periodic
from stockyard._aio.stop_signals import on_stop_signal
from stockyard._aio.together import of_each
from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from stockyard.consume.cancel_listener import CancelListener
from stockyard.consume.foreground import run_in_foreground
from stockyard.consume.heartbeat import BEAT_SECONDS
from stockyard.consume.identity import dead_holders, new_worker_id
from stockyard.consume.lifespan import close
from stockyard.consume.loop_watch import LoopWatch
from stockyard.consume.options import WorkerSpec
from stockyard.consume.run.announcer import Announcer
from stockyard.consume.run.end_listener import EndListener
from stockyard.consume.run.execution import Execution
from stockyard.consume.run.handler_call import HandlerCall
from stockyard.consume.run.handler_finder import check_places, handlers_of
from stockyard.consume.shard_worker import ShardWorker, ShardWorkers
from stockyard.consume.shutdown import STOP_SECONDS, Shutdown, enter_unless, start_unless
from stockyard.consume.take.shares import Shares
from stockyard.consume.worker_control import WorkerControl
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.effects.at_most_once import AtMostOnce
from stockyard.effects.reconciler import EffectReconciler
from stockyard.errors import ConfigError, HandlerError, ReplyLost, ServerError, ServerUnavailable
from stockyard.leases.keeper import LeaseKeeper
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.fixed import Fixed
from stockyard.model.job import Job, JobPort
from stockyard.topology import QueueSpec, Router

_log = logging.getLogger(__name__)

_SHARDS_SECONDS = 30.0
"""Between two looks for shards that a program with another number of them adds to."""

Place = tuple[QueueKeyspace, JobPort]
"""The keys of a queue, or of one of its shards, and the port of the jobs there."""


class Worker(Fixed, WorkerControl):
    """Takes the jobs of one queue and runs their handlers; made by ``App.worker``.

    Its parts, in the order they start: the process pool (slow to warm), the lease keeper (before any job is
    held), the recovery of stalled jobs, the repair of schedules, the reconciliation of effects, the fetcher (which
    brings the jobs). They stop in reverse, with the ended runs written in between.
    """

    def __init__(
        self,
        spec: QueueSpec,
        processor: Callable[[Job[Any]], Any] | Router | None,
        options: WorkerSpec,
        *,
        places: Sequence[Place],
        learn_places: Callable[[], Awaitable[Sequence[Place]]],
        keeper: LeaseKeeper,
        cancels: CancelListener,
        close_app: Callable[[], Awaitable[None]],
        prepare: Callable[[], Awaitable[bool]],
        lifespan: Callable[[], AbstractAsyncContextManager[None]],
        limits: dict[str, Any] | None = None,
    ) -> None:
        spec = options.over(spec)
        self.queue: str = spec.name
        self.options = options
        self._concurrency = spec.concurrency if options.concurrency is None else options.concurrency
        self.id: str = new_worker_id()
        self._handlers, self._find = handlers_of(spec, processor, options.executor)
        check_places(self._handlers, spec.name, self._concurrency)
        self._lock_ms = spec.lock_ms if options.lock_ms is None else options.lock_ms
        self._grace = options.grace_ms / 1000
        self._keeper = keeper
        self._cancels = cancels
        self._server = places[0][0].server
        self._close_app = close_app
        self._prepare = prepare
        self._lifespan = lifespan
        self._hooks = options.hooks
        # What it counted outlives it.
        serves = weakref.WeakMethod(self._serves)
        self.metrics: WorkerMetrics = WorkerMetrics(lambda name: (known := serves()) is not None and known(name))
        self._heart = Periodic(self._beat, BEAT_SECONDS, name=f"heartbeat of {spec.name}")
        keep = (spec.defaults.remove_on_complete, spec.defaults.remove_on_fail)
        self._execution = Execution(
            spec.name,
            size=self.concurrency,
            recycle_after=options.recycle_after,
            memory_limit=options.memory_limit,
            metrics=self.metrics,
            on_room=self._wake,
        )
        self._announcer = Announcer(spec.name, hooks=options.hooks)
        runs_once = spec.delivery == "at_most_once"
        call = HandlerCall(
            spec.name,
            find=self._find,
            execution=self._execution,
            middleware=options.middleware,
            hooks=options.hooks,
            strategies=options.backoff_strategies,
            retries=spec.retries,
            max_started=options.max_started_attempts,
            keep=keep,
            once=AtMostOnce(places[0][0]) if runs_once else None,
        )
        listener = EndListener(call=call, keeper=keeper, metrics=self.metrics, announcer=self._announcer)
        dead, is_sharded = dead_holders(), len(places) > 1
        shares = Shares() if is_sharded else None

        def shard_at(keyspace: QueueKeyspace, jobs: JobPort) -> ShardWorker:
            return ShardWorker(
                spec,
                options,
                keyspace=keyspace,
                jobs=jobs,
                worker_id=self.id,
                lock_ms=self._lock_ms,
                concurrency=self.concurrency,
                limits=limits,
                call=call,
                execution=self._execution,
                keeper=keeper,
                metrics=self.metrics,
                listener=listener,
                halts=cancels.halts,
                dead=dead,
                shares=shares,
                on_limited=self._limit_all if is_sharded else None,
                on_drained=self._drained,
                on_broken=self._broke,
                on_error=self._announcer.error,
            )

        self._effects = EffectReconciler(
            places[0][0], venue=spec.venue, on_unknown=spec.on_unknown, is_used=spec.uses_effects
        )
        self._shard_at = shard_at
        self._shards = ShardWorkers([shard_at(keyspace, jobs) for keyspace, jobs in places])
        self._loop_watch = LoopWatch(
            spec.name,
            heartbeat=self._shards.all[0].heartbeat,
            active=self._shards,
            metrics=self.metrics,
            after=math.inf if options.blocked_after_ms is None else options.blocked_after_ms / 1000,
        )
        self._is_sharded = is_sharded
        self._learn_places = learn_places
        self._more_shards = Periodic(self._serve_more_shards, _SHARDS_SECONDS, name=f"shards of {spec.name}")
        self._stop_asked = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failure: BaseException | None = None
        self._asked_at = math.inf
        self._is_running = self._is_paused = False
        self.ready: asyncio.Event = asyncio.Event()
        self._is_made = True

    def run_forever(self) -> None:
        """Work until SIGTERM or Ctrl-C, then close the App; for a program that does nothing else. Blocks.

        Raises:
            ConfigError: an event loop runs already; ``await worker.run()`` there.
            AuthenticationFailed, ServerTooOld, UnsafeServer: as ``run``.
        """
        run_in_foreground(partial(self.run, handle_signals=True), self._close_app)

    async def run(self, *, handle_signals: bool | None = None) -> None:
        """Work until ``stop`` is called. A server that is away is waited for.

        Args:
            handle_signals: take over SIGTERM and SIGINT of the process: the first stops taking and gives running
                jobs their grace; the second hands them back at once. Defaults to the option of the worker, False.

        Raises:
            AuthenticationFailed, ServerTooOld: the server will not serve, however long one waits.
            UnsafeServer: the queue is critical, and the server may lose its jobs.
        """
        if self._is_running:
            raise ConfigError("this worker has been run already; make another")
        self._is_running = True
        self._enter_phase("starting")
        takes_signals = self.options.handle_signals if handle_signals is None else handle_signals
        end_signals = on_stop_signal(self.request_stop) if takes_signals else lambda: None
        opened = AsyncExitStack()
        try:
            await self._heart.start()
            self._loop_watch.start()
            if await enter_unless(self._stop_asked, opened.enter_async_context(self._lifespan())):
                await start_unless(self._stop_asked, self._start())
            await self._stop_asked.wait()
            if self._failure is not None:
                raise self._failure
        except asyncio.CancelledError:
            self._stop_now.set()
            raise
        finally:
            try:
                await self._shut_down()
            finally:
                try:
                    await close(opened)
                    self._loop_watch.stop()
                    await self._heart.stop()
                finally:
                    # Those who wait for its end must not wait for ever, wherever it is cancelled.
                    self._enter_phase("stopped")
                    _log.info("worker of queue %s has stopped", self.queue, extra={"queue": self.queue})
                    end_signals()
                    self._stopped.set()

    def request_stop(self) -> None:
        """Ask it to stop; asked again, it hands back what runs at once."""
        if self._stop_asked.is_set():
            self._stop_now.set()
            self._asked_at = min(self._asked_at, time.monotonic() - self._grace)
        self._asked_at = min(self._asked_at, time.monotonic())
        self._stop_asked.set()

    @property
    def stops_by(self) -> float:
        """When its stop is over at the latest, by ``time.monotonic``; infinity if it was not asked to stop."""
        return self._asked_at + self._grace + STOP_SECONDS

    async def stop(self, grace: Duration | None = None) -> None:
        """Stop taking, let running jobs end, hand back the rest; return when all is written.

        Args:
            grace: how long running jobs have. Defaults to the worker's.
        """
        if grace is not None:
            self._grace = milliseconds(grace, option="grace") / 1000
        self._stop_asked.set()
        if self._is_running:
            await self._stopped.wait()

    async def _start(self) -> None:
        # Middleware and hooks of jobs that wait for a child would see more of them at a time than it runs; and one
        # that goes back to the queue without having run was started once more.
        is_seen = bool(self.options.middleware) or self._hooks.started is not None
        takes_ahead = not is_seen and not self.options.max_started_attempts
        await self._execution.warm(self._handlers, takes_ahead=takes_ahead)
        await self._open()
        await self._keeper.start(self.id, self._lock_ms, self._shards.lose, self._announcer.on_renewed)
        for shard in self._shards.all:
            await self._cancels.start(shard.id, shard.cancel_target)
        for shard in self._shards.all:
            await shard.start()
        await self._effects.start()
        self._enter_phase("working")
        self.ready.set()
        if self._is_sharded:
            await self._more_shards.start()

    async def _serve_more_shards(self) -> None:
        """Serve the shards, too, that other programs add to, or have added to, under another number of them."""
        known = {shard.keyspace.shard_queue for shard in self._shards.all}
        for keyspace, jobs in await self._learn_places():
            if keyspace.shard_queue in known:
                continue
            shard = self._shard_at(keyspace, jobs)
            try:
                await shard.blocking_taker.open()
            except BaseException:
                await shard.abandon()
                raise
            shard.finisher.restores_locks = self._shards.all[0].finisher.restores_locks
            shard.heartbeat.phase = "working"
            if self._is_paused:
                shard.fetcher.pause()
            self._shards.add(shard)
            await self._cancels.start(shard.id, shard.cancel_target)
            await shard.start()
            _log.info("worker of queue %s serves its shard %s, too", self.queue, shard.name)

    async def _open(self) -> None:
        """Reach the server and look at it; one that is not there yet is waited for."""
        retry_delay = RetryDelay()
        while True:
            try:
                for shard in self._shards.all:
                    await shard.blocking_taker.open()
                restores_locks = await self._prepare()
                for shard in self._shards.all:
                    shard.finisher.restores_locks = restores_locks
                return
            except (ServerUnavailable, ReplyLost) as error:
                if str(error) != self._shards.all[0].heartbeat.trouble:
                    self._announcer.error(error)
                for shard in self._shards.all:
                    shard.heartbeat.trouble = str(error)
                repeats.warn(_log, f"worker of queue {self.queue} waits", error)
                await retry_delay.wait()

    async def _shut_down(self) -> None:
        self._enter_phase("stopping")
        await self._more_shards.stop()
        shutdown = Shutdown(
            self.queue,
            fetcher=self._shards,
            active=self._shards,
            execution=self._execution,
            announcer=self._announcer,
            now=self._stop_now,
        )
        self._execution.hurry()
        if self.ready.is_set():
            await shutdown.drain(self._grace)
        else:
            shutdown.say_early()
        services = [service for shard in self._shards.all for service in shard.services()]
        await shutdown.stop(
            *services, self._effects.stop(), *(self._cancels.stop(shard.id) for shard in self._shards.all)
        )
        self._keeper.stop(self.id)

    def _serves(self, name: str) -> bool:
        try:
            return bool(self._find(name))
        except HandlerError:
            return False

    def _wake(self) -> None:
        for shard in self._shards.all:
            shard.work.set()

    async def _beat(self) -> None:
        for shard in self._shards.all:
            await shard.heartbeat.keep()

    def _enter_phase(self, phase: str) -> None:
        for shard in self._shards.all:
            shard.heartbeat.phase = phase

    def _limit_all(self, duration_ms: int) -> None:
        """Let no job of any shard start for so long: the end of the run that asked for it limits its own alone."""
        self._announcer.call(self._pause_for(duration_ms))

    async def _pause_for(self, duration_ms: int) -> None:
        try:
            await of_each(self._shards.all, lambda shard: managing.pause_for(shard.keyspace, duration_ms))
        except ServerError as error:
            _log.warning("not all shards of queue %s are limited: %s", self.queue, error)

    def _broke(self, error: BaseException) -> None:
        _log.critical("worker of queue %s cannot go on", self.queue, exc_info=error)
        self._failure = error
        self._announcer.error(error)
        self._stop_now.set()
        self._stop_asked.set()

    def _drained(self) -> None:
        if self._hooks.drained is not None and not any(shard.fetcher.has_plenty for shard in self._shards.all):
            self._announcer.call_hook(self._hooks.drained)

"""A worker: takes a queue's jobs and runs them until it is stopped."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import weakref
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from typing import Any

from stockyard._aio.repeats import repeats
from stockyard._aio.retry_delay import RetryDelay
from stockyard._aio.service import Periodic
from stockyard._aio.stop_signals import on_stop_signal
from stockyard._store.jobs.blocking_taker import BlockingTaker
from stockyard._store.jobs.finishing import TakeRequest
from stockyard._store.keyspace import QueueKeyspace
from stockyard.consume.cancel_listener import CancelListener, CancelTarget
from stockyard.consume.finish.finisher import Finisher
from stockyard.consume.finish.next_run_maker import NextRunMaker
from stockyard.consume.foreground import run_in_foreground
from stockyard.consume.heartbeat import HealthCheck, Heartbeat
from stockyard.consume.hooks import call_hook
from stockyard.consume.identity import dead_holders, new_worker_id
from stockyard.consume.lifespan import close
from stockyard.consume.options import WorkerSpec
from stockyard.consume.recover.schedules import ScheduleRepairer
from stockyard.consume.recover.stalled import StalledJobRecoverer
from stockyard.consume.run.active_runs import ActiveRuns
from stockyard.consume.run.announcer import Announcer
from stockyard.consume.run.end_listener import EndListener
from stockyard.consume.run.execution import Execution
from stockyard.consume.run.handler_call import HandlerCall
from stockyard.consume.run.handler_finder import handlers_of
from stockyard.consume.run.runner import Runner
from stockyard.consume.shutdown import STOP_SECONDS, Shutdown, enter_unless, start_unless
from stockyard.consume.take.fetcher import Fetcher
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.errors import ConfigError, HandlerError, ReplyLost, ServerUnavailable
from stockyard.leases.keeper import LeaseKeeper
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.fixed import Fixed
from stockyard.model.job import Job, JobPort
from stockyard.topology import QueueSpec, Router

_log = logging.getLogger(__name__)
_BEAT_SECONDS = 0.5


class Worker(Fixed):
    """One worker of one queue; made by ``App.worker``.

    Its parts, in the order they start: the process pool (slow to warm), the lease keeper (before any job is
    held), the recovery of stalled jobs, the repair of schedules, the fetcher (which brings the jobs). They stop in
    reverse, with the ended runs written in between.
    """

    def __init__(
        self,
        spec: QueueSpec,
        processor: Callable[[Job[Any]], Any] | Router | None,
        options: WorkerSpec,
        *,
        keyspace: QueueKeyspace,
        jobs: JobPort,
        keeper: LeaseKeeper,
        cancels: CancelListener,
        close_app: Callable[[], Awaitable[None]],
        prepare: Callable[[], Awaitable[bool]],
        lifespan: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        self.queue: str = spec.name
        self.options = options
        self._concurrency = spec.concurrency if options.concurrency is None else options.concurrency
        self.id: str = new_worker_id()
        self._handlers, self._find = handlers_of(spec, processor, options.executor)
        self._lock_ms = spec.lock_ms if options.lock_ms is None else options.lock_ms
        interval = options.stalled_interval_ms
        interval_ms = self._lock_ms // 2 if interval is None else interval
        self._grace = options.grace_ms / 1000
        self._keeper = keeper
        self._cancels = cancels
        self._keyspace = keyspace
        self._server = keyspace.server
        self._close_app = close_app
        self._prepare = prepare
        self._lifespan = lifespan
        self._hooks = options.hooks
        # What it counted outlives it.
        serves = weakref.WeakMethod(self._serves)
        self.metrics: WorkerMetrics = WorkerMetrics(lambda name: (known := serves()) is not None and known(name))
        self._heartbeat = Heartbeat()
        self._heart = Periodic(self._heartbeat.keep, _BEAT_SECONDS, name=f"heartbeat of {spec.name}")
        work = asyncio.Event()
        keep = (spec.defaults.remove_on_complete, spec.defaults.remove_on_fail)
        self._execution = Execution(
            spec.name,
            size=self.concurrency,
            jobs=jobs,
            recycle_after=options.recycle_after,
            memory_limit=options.memory_limit,
            metrics=self.metrics,
            on_room=work.set,
        )
        self._active = ActiveRuns()
        self._announcer = Announcer(spec.name, hooks=options.hooks)
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
        )
        self._finisher = Finisher(
            spec.name,
            listener=EndListener(call=call, keeper=keeper, metrics=self.metrics, announcer=self._announcer),
            on_ended=work.set,
        )
        runner = Runner(
            spec.name,
            call=call,
            active=self._active,
            jobs=jobs,
            keeper=keeper,
            metrics=self.metrics,
            lock_ms=self._lock_ms,
            clock=keyspace.clock,
            on_ended=self._finisher.put,
            on_lost=work.set,
        )
        self._stalled_jobs = StalledJobRecoverer(
            keyspace,
            interval_ms=max(interval_ms, 10),
            max_stalled=spec.max_stalled,
            hooks=options.hooks,
            metrics=self.metrics,
            dead=dead_holders(),
        )
        self._schedules = ScheduleRepairer(keyspace, interval_ms=max(interval_ms, 10), hooks=options.hooks)
        self._blocking_taker = BlockingTaker(keyspace, worker=options.name)
        self._fetcher = Fetcher(
            keyspace,
            worker_id=self.id,
            concurrency=self.concurrency,
            take_defaults=TakeRequest(
                take=0,
                token="",
                lock_ms=self._lock_ms,
                limit_max=spec.rate.max if spec.rate else None,
                limit_window=spec.rate.duration_ms if spec.rate else None,
                worker=options.name or "",
                metrics=options.metrics_minutes,
            ),
            drain_delay=options.drain_delay_ms / 1000,
            finisher=self._finisher,
            runner=runner,
            active=self._active,
            execution=self._execution,
            work=work,
            next_runs=NextRunMaker(
                keyspace,
                lock_ms=self._lock_ms,
                keep=keep,
                start=runner.start,
                finisher=self._finisher,
            ),
            blocking_taker=self._blocking_taker,
            heartbeat=self._heartbeat,
            on_drained=self._drained,
            on_broken=self._broke,
        )
        self._stop_asked = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failure: BaseException | None = None
        self._asked_at = math.inf
        self._is_running = False
        self.ready: asyncio.Event = asyncio.Event()
        self._is_made = True

    @property
    def concurrency(self) -> int:
        """Jobs at a time; assign it to change that, up or down. Jobs that run beyond a lower number go on."""
        return self._concurrency

    @concurrency.setter
    def concurrency(self, jobs: int) -> None:
        self._concurrency = checks.whole("concurrency", jobs, least=1)
        self._execution.resize(jobs)
        self._fetcher.resize(jobs)

    @property
    def is_running(self) -> bool:
        """Whether ``run`` has begun and not ended."""
        return self._is_running and not self._stopped.is_set()

    @property
    def running(self) -> int:
        """How many jobs it runs at this moment."""
        return len(self._active)

    def health_checks(self) -> list[HealthCheck]:
        """Return signs of life: its phase, the server, its loop, its taking; may be called in any thread."""
        health_checks = self._heartbeat.judge(
            self.queue,
            room=self._fetcher.room,
            waits_until=self._blocking_taker.waits_until,
            now=time.monotonic(),
            server_trouble=self._server.trouble,
        )
        if health_checks and (lost := self._execution.lost):
            detail = f"{lost} of {self.concurrency} places are lost to threads that hang"
            health_checks.append(
                HealthCheck(f"{self.queue}: threads", False, detail, is_fatal=lost >= self.concurrency)
            )
        return health_checks

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
        self._heartbeat.phase = "starting"
        takes_signals = self.options.handle_signals if handle_signals is None else handle_signals
        end_signals = on_stop_signal(self.request_stop) if takes_signals else lambda: None
        opened = AsyncExitStack()
        try:
            await self._heart.start()
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
                    await self._heart.stop()
                finally:
                    # Those who wait for its end must not wait for ever, wherever it is cancelled.
                    self._heartbeat.phase = "stopped"
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
        await self._keeper.start(self.id, self._lock_ms, self._active.lose)
        await self._cancels.start(self.id, CancelTarget(self._keyspace, self._active.job_ids, self._active.cancel))
        await self._stalled_jobs.start()
        await self._schedules.start()
        await self._fetcher.start()
        self._heartbeat.reply()
        self._heartbeat.phase = "working"
        self.ready.set()

    async def _open(self) -> None:
        """Reach the server and look at it; one that is not there yet is waited for."""
        retry_delay = RetryDelay()
        while True:
            try:
                await self._blocking_taker.open()
                self._finisher.restores_locks = await self._prepare()
                return
            except (ServerUnavailable, ReplyLost) as error:
                self._heartbeat.trouble = str(error)
                repeats.warn(_log, f"worker of queue {self.queue} waits", error)
                await retry_delay.wait()

    async def _shut_down(self) -> None:
        self._heartbeat.phase = "stopping"
        shutdown = Shutdown(
            self.queue,
            fetcher=self._fetcher,
            active=self._active,
            execution=self._execution,
            announcer=self._announcer,
            now=self._stop_now,
        )
        if self.ready.is_set():
            await shutdown.drain(self._grace)
        else:
            shutdown.say_early()
        services = (
            self._fetcher.stop(),
            self._schedules.stop(),
            self._stalled_jobs.stop(),
            self._cancels.stop(self.id),
        )
        await shutdown.stop(*services)
        self._keeper.stop(self.id)

    def _serves(self, name: str) -> bool:
        try:
            return bool(self._find(name))
        except HandlerError:
            return False

    def _broke(self, error: BaseException) -> None:
        _log.critical("worker of queue %s cannot go on", self.queue, exc_info=error)
        self._failure = error
        self._stop_now.set()
        self._stop_asked.set()

    def _drained(self) -> None:
        if self._hooks.drained is not None:
            self._announcer.call(call_hook(self._hooks.drained))

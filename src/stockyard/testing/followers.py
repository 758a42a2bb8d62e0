"""What follows a clock that is moved by hand, of one App: its keys, leases, waits and workers."""

from __future__ import annotations

import asyncio
import inspect
import math
import time
from collections.abc import Sequence
from typing import Any

from stockyard._store import prefix_keys
from stockyard._store.jobs import leasing, reading
from stockyard._store.net.server_at import server_at
from stockyard.app.app import App
from stockyard.config import Address
from stockyard.consume.run import execution
from stockyard.consume.run.active_runs import Run
from stockyard.consume.shard_worker import ShardWorker
from stockyard.consume.worker import Worker
from stockyard.model.effect import Effect, hasten
from stockyard.testing.lease_keeper import LoopLeaseKeeper
from stockyard.testing.waiting import eventually

_SETTLE_SECONDS = 5.0


class Follower:
    """An App whose clock is moved by hand.

    Args:
        app: the App.
        keeper: keeps its leases.
        address: the server, reached directly.
    """

    def __init__(self, app: App, keeper: LoopLeaseKeeper, address: Address) -> None:
        self._app = app
        self._keeper = keeper
        self._address = address
        self._began_before: frozenset[int] = frozenset()
        self._missed_ms = 0

    @property
    def place(self) -> tuple[str, str]:
        """The server and the prefix, which several Apps may share."""
        return str(self._address), self._app.settings.prefix

    def begin(self) -> None:
        """Note which jobs run before the clock moves."""
        self._began_before = frozenset(id(run) for run in self._runs())

    async def next_stop(self) -> int | None:
        """Return when a worker has something to do next, in ms since the epoch, or None."""
        stops: list[int] = []
        for shard in self._live_shards():
            if not _has_room(shard):
                continue
            if (due := await reading.next_due(shard.keyspace)) is not None:
                stops.append(due)
            if (limited := shard.fetcher._demand.limited_seconds(time.monotonic())) > 0:
                stops.append(shard.keyspace.clock() + math.ceil(limited * 1000))
        now = self._app._clock()
        return min((stop for stop in stops if stop > now), default=None)

    @property
    def workers(self) -> list[str]:
        """What the tokens of its workers begin with that renew their leases."""
        return [f"{shard.id}:" for shard in self._live_shards()]

    async def age_keys(self, milliseconds: int, workers: Sequence[str]) -> None:
        """Bring the keys of the prefix nearer to their expiry, but for the leases of these workers."""
        server = server_at(self._address)
        try:
            naming = self._app.settings.naming(self._app.topology.slots)
            await prefix_keys.age_keys(server, naming, milliseconds, renewed=workers)
        finally:
            await server.aclose()

    async def time_passed(self, milliseconds: int) -> None:
        """Let its waits end sooner, and its workers look at their queues, unless it is frozen."""
        self._missed_ms += milliseconds
        if self._keeper.is_frozen:
            return
        passed, self._missed_ms = self._missed_ms / 1000, 0
        for run in self._runs():
            _hasten(run, passed)
        runtime = self._app._runtime()
        if "limits" in vars(runtime):
            for limits in runtime.limits._open.values():
                limits._lines.get().wake()
        for worker in self._live_workers():
            await worker._effects.look()
        for shard in self._live_shards():
            if passed:
                await self._recover(shard, milliseconds)
            fetcher = shard.fetcher
            fetcher._demand._limited_until = 0.0
            fetcher._shall_look = True
            fetcher._listening.set()
            fetcher._work.set()
            await shard.blocking_taker.set_marker()

    async def settle(self) -> None:
        """Return when its workers have done what came due, or after some seconds of real time."""
        if self._keeper.is_frozen:
            return
        try:
            await eventually(self._is_settled, within=_SETTLE_SECONDS)
        except TimeoutError:
            # Handlers that wait for something else are not waited for at the next stop as well.
            self.begin()

    async def _recover(self, shard: ShardWorker, milliseconds: int) -> None:
        """Look for stalled jobs as often as its worker would have: once, or twice, which is as good as often."""
        await shard.stalled_jobs.sweep()
        if milliseconds >= 2 * shard.stalled_jobs._interval_ms:
            await leasing.forget_look(shard.keyspace)
            await shard.stalled_jobs.sweep()
        await shard.aging.look()

    def _is_settled(self) -> bool:
        return all(_has_looked(shard) for shard in self._live_shards()) and all(
            id(run) in self._began_before for run in self._runs()
        )

    def _live_workers(self) -> list[Worker]:
        if self._keeper.is_frozen:
            return []
        return [worker for worker in self._app._workers if worker.is_running and worker.ready.is_set()]

    def _live_shards(self) -> list[ShardWorker]:
        return [shard for worker in self._live_workers() for shard in worker._shards.all]

    def _runs(self) -> list[Run]:
        return [run for shard in self._live_shards() for run in shard.active._runs.values()]


def _has_looked(shard: ShardWorker) -> bool:
    """Whether a worker has written what ended, and has looked for jobs since the clock moved."""
    fetcher = shard.fetcher
    if shard.heartbeat.trouble:
        return True
    waits = not math.isinf(shard.blocking_taker.waits_until) and not fetcher._shall_look
    nothing_ends = not len(fetcher._finisher) and not len(fetcher._next_runs)
    return nothing_ends and (waits or not _has_room(shard)) and len(fetcher._in_flight) <= int(waits)


def _has_room(shard: ShardWorker) -> bool:
    """Whether it would run another job, those left out that a call under way may bring."""
    fetcher = shard.fetcher
    return not fetcher._rest.is_on and fetcher.in_hand - fetcher.reserved < fetcher._capacity


def _hasten(run: Run, seconds: float) -> None:
    """Let the timeout of a handler, and the deadline of its effect, come so much sooner."""
    task = run.task
    if task is None or not seconds:
        return
    effects: dict[int, Effect] = {}
    coroutine: Any = task.get_coro()
    while inspect.iscoroutine(coroutine):
        if coroutine.cr_code is execution._within.__code__ and coroutine.cr_frame is not None:
            deadline = coroutine.cr_frame.f_locals.get("deadline")
            if isinstance(deadline, asyncio.Timeout) and (when := deadline.when()) is not None:
                deadline.reschedule(max(when - seconds, task.get_loop().time()))
        for value in [] if coroutine.cr_frame is None else list(coroutine.cr_frame.f_locals.values()):
            if isinstance(value, Effect):
                effects[id(value)] = value
        coroutine = coroutine.cr_await
    for effect in effects.values():
        hasten(effect, seconds)

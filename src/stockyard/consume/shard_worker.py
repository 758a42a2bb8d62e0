"""What a worker has for one BullMQ queue: its own, or a shard of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from stockyard._aio.together import of_each
from stockyard._store.jobs.blocking_taker import BlockingTaker
from stockyard._store.keyspace import QueueKeyspace
from stockyard.consume.cancel_listener import CancelTarget
from stockyard.consume.finish.finisher import Finisher
from stockyard.consume.finish.next_run_maker import NextRunMaker
from stockyard.consume.halt_watch import HaltWatch
from stockyard.consume.heartbeat import HealthCheck, Heartbeat
from stockyard.consume.options import WorkerSpec
from stockyard.consume.recover.aging import PriorityAging
from stockyard.consume.recover.coalesced import CoalescedJobRepairer
from stockyard.consume.recover.keys import KeyRepairer
from stockyard.consume.recover.presence import ReleasePresence
from stockyard.consume.recover.schedules import ScheduleRepairer
from stockyard.consume.recover.stalled import StalledJobRecoverer
from stockyard.consume.run.active_runs import ActiveRuns, Run
from stockyard.consume.run.breaker_guard import BreakerGuard
from stockyard.consume.run.end_listener import EndListener
from stockyard.consume.run.ending import Ending
from stockyard.consume.run.execution import Execution
from stockyard.consume.run.expiries import Expiries
from stockyard.consume.run.handler_call import HandlerCall
from stockyard.consume.run.held_jobs import HeldJobs
from stockyard.consume.run.runner import Runner
from stockyard.consume.take.fetcher import Fetcher
from stockyard.consume.take.outage import Outage
from stockyard.consume.take.request import take_request
from stockyard.consume.take.rest import Rest
from stockyard.consume.take.shard_fetcher import ShardFetcher
from stockyard.consume.take.shares import Shares
from stockyard.consume.take.starter import Starter
from stockyard.consume.take.trials import TrialTaker
from stockyard.consume.worker_metrics import WorkerMetrics
from stockyard.leases.keeper import LeaseKeeper
from stockyard.leases.table import Lease
from stockyard.model.job import JobPort
from stockyard.model.outcome import Requeued
from stockyard.topology import QueueSpec


class ShardWorker:
    """Takes the jobs of one BullMQ queue, starts them, writes their ends, and recovers those of dead workers.

    Args:
        spec: the queue; with shards, the one whose shard this is.
        options: those of the worker.
        keyspace: where the jobs are.
        jobs: their port.
        worker_id: begins every token.
        lock_ms: length of the leases.
        concurrency: jobs in hand at most, over all shards.
        limits: what the scripts read of the limits that its jobs have, or None.
        call, execution, keeper, metrics, listener, halts: what the worker has once for all shards.
        dead: what the tokens of processes begin with that are known to be dead.
        shares: divides the places among the shards; None without shards.
        on_limited: called with milliseconds for which a handler wants no job to start, of any shard. None without
            shards.
        on_drained: called when nothing more waits.
        on_broken: called when it cannot go on.
        on_error: called when the server begins not to answer.
    """

    def __init__(
        self,
        spec: QueueSpec,
        options: WorkerSpec,
        *,
        keyspace: QueueKeyspace,
        jobs: JobPort,
        worker_id: str,
        lock_ms: int,
        concurrency: int,
        limits: dict[str, Any] | None,
        call: HandlerCall,
        execution: Execution,
        keeper: LeaseKeeper,
        metrics: WorkerMetrics,
        listener: EndListener,
        halts: HaltWatch,
        dead: Sequence[str],
        shares: Shares | None,
        on_limited: Callable[[int], None] | None,
        on_drained: Callable[[], None],
        on_broken: Callable[[BaseException], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self.keyspace = keyspace
        self.active = ActiveRuns()
        self.heartbeat = Heartbeat()
        # Set when there is something to write, or a place is free.
        self.work = asyncio.Event()
        # Tokens differ from shard to shard, as jobs of several may have the same id.
        self.id: str = f"{worker_id}:{keyspace.shard}" if keyspace.shard else worker_id
        self.name: str = f"{spec.name}@{keyspace.shard}" if keyspace.shard else spec.name
        self.finisher = Finisher(spec.name, listener=listener, on_ended=self.work.set)
        self._listener = listener
        self._on_limited = on_limited
        self._shares = shares
        guard = self._guard = None if spec.breaker is None else BreakerGuard(keyspace, spec.breaker)
        runner = Runner(
            spec.name,
            call=call,
            held=HeldJobs(keyspace, halts),
            expiries=Expiries(keyspace, call.once),
            breaker=guard,
            active=self.active,
            jobs=jobs,
            keeper=keeper,
            lease_queue=keyspace.shard_queue,
            metrics=metrics,
            lock_ms=lock_ms,
            clock=keyspace.clock,
            on_ended=self.finisher.put if on_limited is None and guard is None else self._ended,
            on_lost=self.work.set,
        )
        interval = options.stalled_interval_ms
        interval_ms = max(lock_ms // 2 if interval is None else interval, 10)
        self.stalled_jobs = StalledJobRecoverer(
            keyspace,
            interval_ms=interval_ms,
            max_stalled=spec.max_stalled,
            hooks=options.hooks,
            metrics=metrics,
            at_most_once=spec.delivery == "at_most_once",
            dead=dead,
        )
        self.schedules = ScheduleRepairer(keyspace, interval_ms=interval_ms, hooks=options.hooks)
        self.coalesced_jobs = CoalescedJobRepairer(keyspace)
        self.aging = PriorityAging(keyspace, aging_ms=0 if spec.arrangement is None else spec.arrangement.aging_ms)
        self.keys = KeyRepairer(keyspace)
        self.presence = ReleasePresence(keyspace, spec)
        self.blocking_taker = BlockingTaker(keyspace, worker=options.name)
        keep = (spec.defaults.remove_on_complete, spec.defaults.remove_on_fail)
        take_defaults = take_request(spec, options, lock_ms=lock_ms, limits=limits)
        next_runs = NextRunMaker(keyspace, lock_ms=lock_ms, keep=keep, start=runner.start, finisher=self.finisher)
        self.starter = Starter(runner=runner, finisher=self.finisher, next_runs=next_runs)
        self.fetcher: Fetcher = (Fetcher if shares is None else ShardFetcher)(
            keyspace,
            worker_id=self.id,
            concurrency=concurrency,
            take_defaults=take_defaults,
            drain_delay=options.drain_delay_ms / 1000,
            finisher=self.finisher,
            starter=self.starter,
            active=self.active,
            execution=execution,
            work=self.work,
            next_runs=next_runs,
            blocking_taker=self.blocking_taker,
            outage=Outage(
                keyspace.queue,
                heartbeat=self.heartbeat,
                finisher=self.finisher,
                lenient_seconds=2 * lock_ms / 1000,
                on_error=on_error,
            ),
            rest=Rest(self.heartbeat),
            on_drained=on_drained,
            on_broken=on_broken,
        )
        if shares is not None and isinstance(self.fetcher, ShardFetcher):
            self.fetcher.share(shares)
        self._trials = None
        if guard is not None:
            self._trials = TrialTaker(
                keyspace,
                guard=guard,
                take_defaults=take_defaults,
                worker_id=self.id,
                start=self.starter.start,
                # What is kept for calls that wait is free: a queue that is halted gives them nothing.
                room=lambda: self.fetcher.room + self.fetcher.reserved,
            )

    def lose(self, lease: Lease) -> None:
        """Break off a run whose lease passed to another worker."""
        if (run := self.active.lose(lease)) is not None:
            self._listener.lost(run)

    @property
    def cancel_target(self) -> CancelTarget:
        """What it is to the listener of cancellations."""
        return CancelTarget(self.keyspace, self.active.job_ids, self.active.cancel)

    def health_checks(self, server_trouble: str) -> list[HealthCheck]:
        """Return its signs of life.

        Args:
            server_trouble: why calls of others to the server are being sent again; empty for none.
        """
        return self.heartbeat.judge(
            self.name,
            room=self.fetcher.room,
            waits_until=self.blocking_taker.waits_until,
            now=time.monotonic(),
            server_trouble=server_trouble,
        )

    async def start(self) -> None:
        """Recover what dead workers left, and begin to take jobs."""
        await self.stalled_jobs.start()
        await self.schedules.start()
        await self.aging.start()
        await self.coalesced_jobs.start()
        await self.keys.start()
        await self.presence.start()
        await self.fetcher.start()
        if self._trials is not None:
            await self._trials.start()
        self.heartbeat.reply()

    async def abandon(self) -> None:
        """Give up its share of the places, and disconnect; for one that could not begin."""
        if self._shares is not None and isinstance(self.fetcher, ShardFetcher):
            self._shares.leave(self.fetcher)
        await self.blocking_taker.close()

    def services(self) -> tuple[Awaitable[None], ...]:
        """Return what is awaited to end its background loops."""
        own = () if self._trials is None else (self._trials.stop(),)
        return (
            *own,
            self.fetcher.stop(),
            self.aging.stop(),
            self.schedules.stop(),
            self.keys.stop(),
            self.presence.stop(),
            self.coalesced_jobs.stop(),
            self.stalled_jobs.stop(),
        )

    def _ended(self, ending: Ending) -> None:
        outcome = ending.outcome
        if type(outcome) is Requeued and outcome.limit_ms and self._on_limited is not None:
            self._on_limited(outcome.limit_ms)
        if self._guard is not None:
            self._guard.ended(ending.job_id, outcome)
        self.finisher.put(ending)


class ShardWorkers:
    """All that a worker has for its shards; its length is the number of jobs that run.

    Args:
        shards: one for each, or the only one.

    Attributes:
        all: them, in order.
    """

    def __init__(self, shards: Sequence[ShardWorker]) -> None:
        self.all: list[ShardWorker] = list(shards)

    def add(self, shard: ShardWorker) -> None:
        """Count one more in."""
        self.all.append(shard)

    def __len__(self) -> int:
        return sum(len(shard.active) for shard in self.all)

    def lose(self, lease: Lease) -> None:
        """Break off a run whose lease passed to another worker."""
        for shard in self.all:
            shard.lose(lease)

    def of_task(self, task: asyncio.Task[Any]) -> Run | None:
        """Return the run of a task, or None for one that runs no job."""
        return next((run for shard in self.all if (run := shard.active.of_task(task)) is not None), None)

    def runs(self) -> list[Run]:
        """Return the runs in hand, in any thread."""
        return [run for shard in list(self.all) for run in shard.active.runs()]

    async def stop_taking(self) -> None:
        """Take no more jobs; those of calls under way are still started."""
        await of_each(self.all, lambda shard: shard.fetcher.stop_taking())

    def hand_back_what_comes(self) -> None:
        """From now on, hand back jobs that calls under way still bring, unrun."""
        for shard in self.all:
            shard.starter.hand_back_what_comes()

    async def flush(self, seconds: float) -> None:
        """Return when every ended run is written, or after so many seconds."""
        await of_each(self.all, lambda shard: shard.fetcher.flush(seconds))

    async def wait_idle(self) -> None:
        """Return when no job runs."""
        while len(self):
            await of_each(self.all, lambda shard: shard.active.wait_idle())

    async def hand_back_all(self) -> None:
        """Break off every run; each goes back to where it waited, without having used up an attempt."""
        await of_each(self.all, lambda shard: shard.active.hand_back_all())

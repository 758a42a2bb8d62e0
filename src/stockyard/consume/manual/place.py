"""Takes jobs by hand from one BullMQ queue, and ends those that must not run any more."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Any, NamedTuple

from stockyard._aio.portal import Portal
from stockyard._logging import plain
from stockyard._store import breaking, halting
from stockyard._store.halting import HaltsKeyspace
from stockyard._store.jobs import editing, leasing, scheduling
from stockyard._store.jobs.blocking_taker import BlockingTaker
from stockyard._store.jobs.finishing import FinishReply, TakeRequest, finish_and_take
from stockyard._store.jobs.rows import CorruptRecord, json_or_text, started_job
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import StartedRecord
from stockyard.consume.finish.next_run_maker import reason_to_skip
from stockyard.consume.manual.ends import ManualEnds
from stockyard.consume.manual.taken_job import TakenJob
from stockyard.consume.options import WorkerSpec
from stockyard.consume.run.breaker_guard import BreakerGuard
from stockyard.consume.run.error_outcome import pause_ms
from stockyard.consume.run.expiries import Expiries
from stockyard.consume.run.expiry import expired_at_start
from stockyard.effects.at_most_once import AtMostOnce
from stockyard.errors import ConfigError, ReplyLost, ServerError, UnrecoverableError
from stockyard.model.clock import Clock
from stockyard.model.halt import halt_keys
from stockyard.model.job import Job, JobPort
from stockyard.model.outcome import Delayed, Failed, Outcome, Requeued
from stockyard.topology import QueueSpec

_log = logging.getLogger(__name__)


class ManualReply(NamedTuple):
    """What a call took.

    Attributes:
        taken: the job, or None.
        limited_ms: how long a rate limit lasts, or 0.
        next_due: when the next delayed job is due, ms since the epoch, or 0.
    """

    taken: TakenJob | None
    limited_ms: int = 0
    next_due: int = 0


class ManualPlace:
    """One BullMQ queue, of which jobs are taken by hand: a queue, or one of its shards.

    Args:
        spec: the queue.
        options: those that were given.
        keyspace: where the jobs are.
        jobs: their port.
        request: what every call asks for, but for jobs and their token.
        halts: the record of halts.
        portal: for callers without a loop.

    Attributes:
        ends: writes how the jobs end.
        jobs: as given.
        clock: gives the server's time.
    """

    def __init__(
        self,
        spec: QueueSpec,
        options: WorkerSpec,
        *,
        keyspace: QueueKeyspace,
        jobs: JobPort,
        request: TakeRequest,
        halts: HaltsKeyspace,
        portal: Portal,
    ) -> None:
        self._spec = spec
        self._options = options
        self._keyspace = keyspace
        self._request = request
        self._halts = halts
        self._portal = portal
        self._guard = None if spec.breaker is None else BreakerGuard(keyspace, spec.breaker)
        self._once = AtMostOnce(keyspace) if spec.delivery == "at_most_once" else None
        self._returning: set[asyncio.Task[None]] = set()
        self._expiries = Expiries(keyspace, self._once)
        self.ends = ManualEnds(
            spec, options, keyspace=keyspace, request=request, guard=self._guard, expiries=self._expiries
        )
        self.jobs = jobs
        self.clock: Clock = keyspace.clock

    def new_taker(self) -> BlockingTaker:
        """Return a connection for waits, which the App closes."""
        return BlockingTaker(self._keyspace, worker=self._options.name, closes_with_server=True)

    def taken(self, job: Job[Any], token: str) -> TakenJob:
        """Return a job that is held under a token."""
        return TakenJob(job, token, ends=self.ends, portal=self._portal)

    async def recover_stalled(self) -> list[str]:
        """Hand back the jobs whose leases have run out; return their ids."""
        return await leasing.recover_stalled(
            self._keyspace,
            interval_ms=max(self.ends.lock_ms // 2, 10),
            max_stalled=self._spec.max_stalled,
            at_most_once=self._once is not None,
        )

    async def take(
        self, token: str | None, *, taker: BlockingTaker | None = None, seconds: float = 0
    ) -> ManualReply:
        """Take the next job that is to run.

        Args:
            token: of its lease, or None for a new one.
            taker: waits for the marker of the queue first. Defaults to None, which does not wait.
            seconds: how long it waits.

        Raises:
            ServerUnavailable: nothing was taken.
            ReplyLost: a job may have been taken under the token that was given.
        """
        while True:
            # A call of its own: what its reply was to bring can be found, and given back.
            own = token is None
            request = self._request.of(1, uuid.uuid4().hex if token is None else token)
            try:
                reply = await self._call(request, own=own, taker=taker, seconds=seconds)
                for record in reply.records:
                    if (taken := await self._admitted(record, request.token, reply.moment)) is not None:
                        return ManualReply(taken)
            except asyncio.CancelledError:
                if own:
                    self._return(request.token, taker)
                raise
            if not reply.records:
                return ManualReply(None, reply.limited_ms, reply.next_due)
            taker = None

    async def _call(
        self, request: TakeRequest, *, own: bool, taker: BlockingTaker | None, seconds: float
    ) -> FinishReply:
        try:
            if taker is not None:
                reply = await taker.wait_and_take(seconds, request)
            else:
                reply = await finish_and_take(self._keyspace, [], request)
        except ReplyLost:
            if not own:
                raise
            records = await leasing.reclaim(self._keyspace, request.token, lock_ms=request.lock_ms)
            return FinishReply([], records, 0, 0, self.clock())
        if reply.records or self._guard is None:
            return reply
        _, trial = await breaking.take_trial(self._keyspace, request)
        for record in trial.records:
            self._guard.begin_trial(record.shown_id)
        return trial if trial.records else reply

    async def _admitted(self, record: StartedRecord, token: str, moment: int) -> TakenJob | None:
        """Return a job that was started, or None of one that must not run: its end is written then."""
        try:
            job: Job[Any] = started_job(record, self._spec.name, self.jobs, moment)
        except (CorruptRecord, ConfigError) as error:
            reason = str(error)
            failed = Failed(reason, (reason,), 0, self._spec.defaults.remove_on_fail)
            await self._end(record.shown_id, token, failed, record.start_number)
            return None
        job.data = json_or_text(job.data)
        outcome = await self._outcome_at_start(job, record, moment)
        if outcome is None:
            return self.taken(job, token)
        await self._end(job.id, token, outcome, job.attempts_started)
        return None

    async def _outcome_at_start(self, job: Job[Any], record: StartedRecord, moment: int) -> Outcome | None:
        """Return how the run of a job ends that must not begin, or None."""
        if record.is_schedule_run and (outcome := await self._outcome_of_run(job, record)) is not None:
            return outcome
        reason: str | None = None
        expired = expired_at_start(job, moment)
        if record.deferred_failure is not None:
            reason = record.deferred_failure.decode(errors="replace")
        elif expired is not None:
            ended = await self._expiries.at_start(job, expired)
            if ended is not None:
                return await self.ends.failed(job, ended) if isinstance(ended, UnrecoverableError) else ended
        elif self._once is not None and job.stalled_count:
            reason = await self._once.reason_to_fail(job.id)
        if reason is not None:
            return await self.ends.failed(job, UnrecoverableError(reason))
        keys = halt_keys(job.options)
        if keys:
            current = await halting.read(self._halts)
            if any(halt.key in keys for halt in current.of(self._spec.name) if halt.key is not None):
                await halting.note_held(self._keyspace, job.id)
                return Delayed(pause_ms(job, self.ends.rng))
        return None

    async def _outcome_of_run(self, job: Job[Any], record: StartedRecord) -> Outcome | None:
        """Make the next run of a schedule; return the end of this one if it is to be skipped, or None."""
        (started,) = await scheduling.advance(self._keyspace, [record])
        if started is None:
            return None
        if started.trouble:
            return Failed(started.trouble, (started.trouble,), 0, self._spec.defaults.remove_on_fail)
        if reason := reason_to_skip(record, started, self.clock()):
            await editing.append_log(self._keyspace, record.id, reason)
            return self.ends.completed(job, "null")
        return None

    async def _end(self, job_id: str, token: str, outcome: Outcome, starts: int) -> None:
        _log.info(
            "job %s of queue %s is not handed out: %s",
            plain(job_id),
            self._spec.name,
            plain(getattr(outcome, "reason", "") or "it is skipped, or halted"),
            extra={"queue": self._spec.name, "job": job_id},
        )
        await self.ends.write(job_id, token, outcome, starts)

    def _return(self, token: str, taker: BlockingTaker | None) -> None:
        """Hand back what a call has taken whose caller has gone; in the background, as that is cancelled."""
        task = asyncio.create_task(self._hand_back(token, taker))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _hand_back(self, token: str, taker: BlockingTaker | None) -> None:
        try:
            if taker is not None:
                await taker.interrupt()
            for record in await leasing.reclaim(self._keyspace, token):
                await self.ends.write(record.shown_id, token, Requeued(), record.start_number)
        except ServerError as error:
            _log.warning(
                "a job of queue %s may be held until its lease ends: %s",
                self._spec.name,
                error,
                extra={"queue": self._spec.name},
            )

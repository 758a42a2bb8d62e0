"""Writes how jobs end that were taken by hand, and says what kept an end from being written."""

from __future__ import annotations

import random
from typing import Any

from stockyard._store.jobs import finishing, leasing
from stockyard._store.jobs.finishing import WHY_NOT_WRITTEN, EndedRun, TakeRequest, finish_and_take
from stockyard._store.jobs.refused_ends import refusal
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard.consume.options import WorkerSpec
from stockyard.consume.run.breaker_guard import BreakerGuard
from stockyard.consume.run.error_outcome import AskedRetry, outcome_of_error
from stockyard.consume.run.expiries import Expiries
from stockyard.consume.run.handler_finder import unknown_name
from stockyard.consume.run.invocation import Invocation
from stockyard.errors import JobNotFound, JobStateError, LeaseLost, ReplyLost, ServerRefused, StockyardError
from stockyard.model.handler import Handler
from stockyard.model.job import Job
from stockyard.model.outcome import Completed, Outcome
from stockyard.topology import QueueSpec

_GONE = (ReplyCode.JOB_MISSING, ReplyCode.LOCK_MISSING, ReplyCode.WRONG_STATE)
_CHILDREN = (ReplyCode.CHILDREN_PENDING, ReplyCode.CHILDREN_FAILED)


class ManualEnds:
    """The ends of the jobs of one queue, or of one of its shards.

    Args:
        spec: the queue.
        options: those that were given.
        keyspace: where the jobs are.
        request: what every call asks for, but for jobs and their token.
        guard: the circuit breaker of the queue, or None.
        expiries: ends jobs whose time is over.

    Attributes:
        restores_locks: the server evicts keys: a lock that is gone may still be ours.
        lock_ms: length of the leases.
        rng: source of jitter.
    """

    def __init__(
        self,
        spec: QueueSpec,
        options: WorkerSpec,
        *,
        keyspace: QueueKeyspace,
        request: TakeRequest,
        guard: BreakerGuard | None,
        expiries: Expiries,
    ) -> None:
        self._spec = spec
        self._strategies = options.backoff_strategies
        self._keyspace = keyspace
        self._request = request
        self._guard = guard
        self._expiries = expiries
        self.rng = random.Random()
        self.restores_locks = False
        self.lock_ms: int = request.lock_ms

    def completed(self, job: Job[Any], text: str) -> Completed:
        """Return the end of a job whose result is this JSON text."""
        keep = job.options.remove_on_complete
        return Completed(text, self._spec.defaults.remove_on_complete if keep is None else keep)

    def handler_of(self, job: Job[Any]) -> Handler | None:
        """Return the handler that the queue declares for a job, for its types and its rules; None for none."""
        return self._spec.router.get(job.name)

    async def failed(self, job: Job[Any], error: BaseException) -> Outcome:
        """Return the end of a job that raised, or would have: another attempt, failed, or where it goes."""
        handler = self.handler_of(job)
        rule = self._spec.retries if handler is None or handler.retries is None else handler.retries
        outcome = outcome_of_error(
            job,
            error,
            keep=self._spec.defaults.remove_on_fail,
            strategies=self._strategies,
            rng=self.rng,
            retries=rule,
        )
        return await outcome.outcome() if isinstance(outcome, AskedRetry) else outcome

    async def judged(self, job: Job[Any], outcome: Outcome, error: BaseException | None) -> Outcome:
        """Return how a run ends by what the queue declares: its circuit breaker, and the job's expiry."""
        if self._guard is not None:
            invocation = Invocation(job, self._find, result=error)
            outcome = await self._guard.judged(invocation, outcome)
        return await self._expiries.at_end(job, outcome, self._keyspace.clock())

    async def write(self, job_id: str, token: str, outcome: Outcome, starts: int) -> int:
        """Write an end that its lease guards; return when it was written, ms since the epoch.

        Raises:
            JobNotFound: the job was removed.
            LeaseLost: the lease ran out, or passed to another worker.
            JobStateError: the job is not active, or its children do not let it end so.
            ServerError: the server did not do it.
        """
        ended = [EndedRun(job_id, token, outcome, starts)]
        request, was_sent = self._request.of(0, token), False
        try:
            reply = await finish_and_take(self._keyspace, ended, request)
        except ReplyLost:
            # Written twice it is the same; of a job that is gone then, the first call wrote the end.
            reply, was_sent = await finish_and_take(self._keyspace, ended, request), True
        (code,) = reply.codes
        if code == ReplyCode.LOCK_MISSING and self.restores_locks and not was_sent:
            await self.renew(job_id, token, starts, self.lock_ms)
            reply = await finish_and_take(self._keyspace, ended, request)
            (code,) = reply.codes
        if code != 0 and not (was_sent and code in _GONE):
            raise self._error(job_id, outcome, code)
        return reply.moment

    async def renew(self, job_id: str, token: str, starts: int, lock_ms: int) -> None:
        """Renew a lease.

        Raises:
            LeaseLost: it ran out, or passed to another worker.
            ServerError: the server did not do it.
        """
        if await leasing.renew(self._keyspace, [(job_id, token, starts)], lock_ms):
            raise self._error(job_id, Completed("", None), ReplyCode.LOCK_MISSING)

    async def is_held_by_children(self, job_id: str) -> bool:
        """Say whether a child of the job has not ended, or has failed it."""
        return await finishing.is_held_by_children(self._keyspace, job_id)

    def _find(self, name: str) -> Handler:
        handler = self._spec.router.get(name)
        if handler is None:
            raise unknown_name(self._spec.name, name, self._spec.router.names)
        return handler

    def _error(self, job_id: str, outcome: Outcome, code: int | str) -> StockyardError:
        if isinstance(code, str):
            return ServerRefused(f"the end of job {job_id} of queue {self._spec.name!r} was not written: {code}")
        if code in _CHILDREN:
            return JobStateError(job_id, str(refusal(job_id, outcome, code)))
        message = f"job {job_id} of queue {self._spec.name!r} is not yours any more: {WHY_NOT_WRITTEN[code]}"
        if code == ReplyCode.JOB_MISSING:
            return JobNotFound(job_id, message)
        if code == ReplyCode.WRONG_STATE:
            return JobStateError(job_id, message)
        return LeaseLost(job_id, message)

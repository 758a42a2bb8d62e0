"""Reports the runs of a queue to its circuit breaker, and requeues those that fail while it is open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from stockyard._aio.repeats import repeats
from stockyard._logging import about, about_job, plain
from stockyard._store import breaking
from stockyard._store.breaking import BreakerReply
from stockyard._store.keyspace import QueueKeyspace
from stockyard.consume.run.error_outcome import reason_of
from stockyard.consume.run.invocation import Invocation
from stockyard.errors import ServerError
from stockyard.model.breaker import Breaker
from stockyard.model.outcome import Completed, Failed, Outcome, Requeued, Retried

_log = logging.getLogger(__name__)

Call = Callable[[Invocation, str | None], Awaitable[Outcome]]
"""Runs a job, or fails it for a reason without running it; returns how that ended."""

_LONGEST_REASON = 500


class BreakerGuard:
    """What the runs of one worker have to do with the circuit breaker of their queue.

    Args:
        keyspace: the queue.
        breaker: as it is declared.

    Attributes:
        has_unproved: set when a trial has ended that did not run, as of a job that had expired or was cancelled.
    """

    def __init__(self, keyspace: QueueKeyspace, breaker: Breaker) -> None:
        self._keyspace = keyspace
        self._breaker = breaker
        self._trial = ""
        self._unproved = ""
        self.has_unproved: asyncio.Event = asyncio.Event()

    def begin_trial(self, job_id: str) -> None:
        """Note which job decides whether the breaker closes."""
        self._trial = job_id

    def ended(self, job_id: str, outcome: Outcome) -> None:
        """Note the end of a run: after a trial that did not run, another job may be tried at once."""
        if not self._trial or job_id != self._trial:
            return
        self._trial = ""
        # A job that goes back to where it waited would be the next one again.
        if not isinstance(outcome, Requeued):
            self._unproved = job_id
            self.has_unproved.set()

    async def give_up_unproved(self) -> None:
        """Let another job be tried in place of one that did not run.

        Raises:
            ServerError: the server did not answer.
        """
        if self._unproved:
            await breaking.settle_trial(self._keyspace, self._unproved, closes=False)
            self._unproved = ""

    def around(self, call: Call) -> Call:
        """Return a call whose outcome the breaker has judged."""

        async def judged(invocation: Invocation, reason_to_fail: str | None) -> Outcome:
            outcome = await call(invocation, reason_to_fail)
            return outcome if reason_to_fail is not None else await self.judged(invocation, outcome)

        return judged

    async def judged(self, invocation: Invocation, outcome: Outcome) -> Outcome:
        """Return how a run ends, by what the breaker says of its outcome."""
        try:
            return await self._judged(invocation, outcome)
        except ServerError as error:
            # How the run ended is written without it.
            repeats.warn(_log, f"circuit breaker of queue {self._keyspace.queue}", error)
            return outcome

    async def _judged(self, invocation: Invocation, outcome: Outcome) -> Outcome:
        job = invocation.job
        error = invocation.result
        if isinstance(outcome, Failed | Retried) and self._breaker.counts(error):
            reason = reason_of(error)[:_LONGEST_REASON]
            reply = await breaking.note_failure(
                self._keyspace, self._breaker, job.id, job.attempts_started, reason
            )
            if job.id == self._trial:
                self._trial = ""
            if reply is BreakerReply.CLOSED:
                return outcome
            self._say(reply, reason)
            _log.warning(
                "%s failed and is requeued, with no attempt used up, as the circuit breaker is open: %s",
                about(job),
                plain(reason),
                extra=about_job(job),
            )
            return Requeued()
        if job.id == self._trial:
            self._trial = ""
            closes = isinstance(outcome, Completed)
            await breaking.settle_trial(self._keyspace, job.id, closes=closes)
            if closes:
                _log.warning("the circuit breaker of queue %s is closed again", self._keyspace.queue)
        return outcome

    def _say(self, reply: BreakerReply, reason: str) -> None:
        queue, seconds = self._keyspace.queue, self._breaker.reset_after_ms / 1000
        if reply is BreakerReply.OPENED:
            _log.error(
                "the circuit breaker of queue %s has opened: %d failures within %g s, the last: %s. The queue is "
                "halted; in %g s one job is tried",
                queue,
                self._breaker.failures,
                self._breaker.within_ms / 1000,
                plain(reason),
                seconds,
                extra={"queue": queue},
            )
        elif reply is BreakerReply.TRIAL_FAILED:
            _log.warning(
                "the trial of the circuit breaker of queue %s failed: another follows in %g s", queue, seconds
            )

"""One job that was taken by hand: the job, and the ways to end its run."""

from __future__ import annotations

from typing import Any

from stockyard._aio.portal import Portal
from stockyard.blocking import BlockingTakenJob
from stockyard.consume.executors.results import result_text
from stockyard.consume.manual.ends import ManualEnds
from stockyard.errors import InvalidOption, StockyardError
from stockyard.model import checks
from stockyard.model.duration import SHORTEST_LEASE, Duration, milliseconds
from stockyard.model.job import Job, set_fields
from stockyard.model.outcome import (
    Completed,
    Delayed,
    Expired,
    Failed,
    Outcome,
    Requeued,
    Retried,
    WaitingChildren,
)


class TakenJob:
    """A job that this program has taken, and ends itself. Made by ``ManualWorker.take``.

    Nothing renews its lease by itself: end it within the lease, or call ``extend`` before that ends. One whose
    lease has run out is handed to another worker, and what is written here then is refused.

    Every method that ends the run raises:

    - ``LeaseLost``: the lease ran out, or passed to another worker; nothing was written.
    - ``JobNotFound``: the job was removed.
    - ``JobStateError``: the run was ended before, or the job's children do not let it end so.
    - ``ServerError``: the server did not do it; call again.

    Attributes:
        job: the job, its payload as plain JSON values. Once the run is written, it shows the job as it is stored.
        token: of its lease. With it and the id, ``ManualWorker.resume`` makes this object again, in any process.
    """

    job: Job[Any]
    token: str

    def __init__(self, job: Job[Any], token: str, *, ends: ManualEnds, portal: Portal) -> None:
        self.job = job
        self.token = token
        self._ends = ends
        self._portal = portal

    def __repr__(self) -> str:
        return f"<TakenJob {self.job.id} of queue {self.job.queue}>"

    @property
    def sync(self) -> BlockingTakenJob:
        """This job for code without a running loop: ``taken.sync.complete()`` blocks until it is done."""
        view: BlockingTakenJob = self._portal.blocking(self, needs_loop=())
        return view

    async def complete(self, result: Any = None) -> None:
        """End the run: the job has completed.

        Args:
            result: what a handler would return: any JSON-able value. Defaults to None.

        Raises:
            PayloadError: the result is not JSON-able.
            LeaseLost, JobNotFound, JobStateError, ServerError: see above.
        """
        handler = self._ends.handler_of(self.job)
        declared = Any if handler is None else handler.result
        text = result_text(result, of=self.job.name, declared=declared).decode()
        outcome = await self._ends.judged(self.job, self._ends.completed(self.job, text), None)
        moment = await self._write(outcome)
        if isinstance(outcome, Completed):
            self._note_attempt(return_value=result, failed_reason=None, finished_on=moment)

    async def fail(self, error: BaseException | str) -> bool:
        """End the run as if its handler had raised: the job is retried, or has failed; say whether it runs again.

        Attempts, backoff and the rules of the queue hold. ``UnrecoverableError("…")`` fails it at once, and a
        ``Delay``, ``Requeue`` or ``RateLimited`` does what it does in a handler.

        Args:
            error: what went wrong; text is the reason as it is stored.

        Raises:
            InvalidOption: it is neither an exception nor text.
            LeaseLost, JobNotFound, JobStateError, ServerError: see above.
        """
        if isinstance(error, str):
            error = StockyardError(checks.line("error", error))
        elif not isinstance(error, BaseException):
            raise InvalidOption(f"error must be an exception or text; got {checks.shown(error)}")
        failed = await self._ends.failed(self.job, error)
        outcome = await self._ends.judged(self.job, failed, error)
        moment = await self._write(outcome)
        if isinstance(outcome, Failed):
            self._note_attempt(failed_reason=outcome.reason, stacktrace=outcome.stacktrace, finished_on=moment)
        elif isinstance(outcome, Retried):
            delay_ms = outcome.delay_ms or self.job.delay_ms
            self._note_attempt(failed_reason=outcome.reason, stacktrace=outcome.stacktrace, delay_ms=delay_ms)
        return not isinstance(outcome, Failed | Expired)

    async def delay(self, delay: Duration) -> None:
        """End the run: the job runs again after a while, with no attempt used up.

        Args:
            delay: how long from now.

        Raises:
            InvalidOption: it is no duration.
            LeaseLost, JobNotFound, JobStateError, ServerError: see above.
        """
        length = milliseconds(delay, option="delay")
        await self._write(await self._ends.judged(self.job, Delayed(length), None))
        set_fields(self.job, delay_ms=length)

    async def requeue(self) -> None:
        """End the run: the job is the next in line again, with no attempt used up.

        Raises:
            LeaseLost, JobNotFound, JobStateError, ServerError: see above.
        """
        await self._write(Requeued())

    async def wait_for_children(self) -> bool:
        """End the run until the job's children have ended, if there are any left; say whether it was ended.

        If not, nothing was changed, and the run goes on.

        Raises:
            LeaseLost, JobNotFound, JobStateError, ServerError: see above.
        """
        if not await self._ends.is_held_by_children(self.job.id):
            return False
        await self._write(WaitingChildren())
        return True

    async def extend(self, lock: Duration | None = None) -> None:
        """Renew the lease: it ends so long after now.

        Args:
            lock: 100 ms or longer. Defaults to the lease that the job was taken with.

        Raises:
            InvalidOption: it is no duration, or too short.
            LeaseLost: the lease ran out, or passed to another worker.
            ServerError: the server did not do it.
        """
        length = self._ends.lock_ms
        if lock is not None:
            length = checks.positive_ms("lock", lock, least=SHORTEST_LEASE)
        await self._ends.renew(self.job.id, self.token, self.job.attempts_started, length)

    async def _write(self, outcome: Outcome) -> int:
        return await self._ends.write(self.job.id, self.token, outcome, self.job.attempts_started)

    def _note_attempt(self, **values: Any) -> None:
        """Have the job show what was written of its attempt."""
        job = self.job
        set_fields(job, ended_attempt=job.attempt, attempts_made=job.attempts_made + 1, **values)

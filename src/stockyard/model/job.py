"""One job, as its handler and its producer see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, Generic, Literal, NoReturn, Protocol, TypeVar, overload

import msgspec

from stockyard._suggestion import suggestion
from stockyard.blocking import BlockingJob
from stockyard.errors import Delay, JobNotFound, PayloadError, RateLimited, Requeue, WaitForChildren
from stockyard.model import checks
from stockyard.model.arranged import Arranged
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.effect_port import EffectPort
from stockyard.model.effectful import Effectful
from stockyard.model.family import FamilyPort, Relative
from stockyard.model.logged import Logged, LogPort
from stockyard.model.options import MAX_PRIORITY, JobOptions
from stockyard.model.payload import Decoder, decoder_for
from stockyard.model.scheduled import Scheduled

T = TypeVar("T")
R = TypeVar("R")


class JobState(StrEnum):
    """Where a job is."""

    WAITING = "waiting"
    PRIORITIZED = "prioritized"
    DELAYED = "delayed"
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    WAITING_CHILDREN = "waiting-children"
    UNKNOWN = "unknown"


ResetAttempts = bool | Literal["made", "started"]
"""What of a job is counted from the beginning: all, nothing, the attempts that have ended, or those that began."""

ENDED_STATES = (JobState.FAILED, JobState.COMPLETED)


class JobPort(FamilyPort, EffectPort, LogPort, Protocol):
    """What a job needs from its owner: the store, or the parent of a child process."""

    async def update_progress(self, job_id: str, value: Any) -> None: ...
    async def update_data(self, job_id: str, data: Any) -> None: ...
    async def state(self, job_id: str) -> JobState: ...
    async def change_delay(self, job_id: str, delay: Duration) -> int: ...
    async def change_priority(self, job_id: str, priority: int, *, lifo: bool) -> None: ...
    async def retry(
        self, job_id: str, *, state: str = "failed", reset_attempts: ResetAttempts = False
    ) -> None: ...
    async def remove(self, job_id: str, *, children: bool = True) -> None: ...
    async def remove_unprocessed_children(self, job_id: str) -> int: ...
    async def promote(self, job_id: str) -> None: ...
    async def cancel(self, job_id: str, reason: str) -> None: ...
    async def is_held_by_children(self, job_id: str) -> bool: ...
    async def wait_for_result(self, job_id: str, timeout: Duration | None) -> Any: ...
    async def get_job(self, job_id: str) -> Job[Any] | None: ...
    def result_decoder(self, name: str) -> Decoder | None: ...
    def blocking(self, target: Any) -> Any: ...


set_field = msgspec.structs.force_setattr
"""Change one field of a job, past its own refusal to be assigned."""


class Job(Arranged, Relative, Effectful, Logged, Scheduled, msgspec.Struct, Generic[T], eq=False, weakref=True):
    """Holds a job's record as it was read, with the methods that act on the job.

    Attributes:
        id: unique in its queue.
        name: chooses the handler.
        data: the payload; in a handler, of the type that its annotation declares. A middleware may assign it;
            other fields cannot be assigned.
        options: what the producer asked for.
        queue: name of its queue.
        timestamp: creation, milliseconds since the epoch.
        priority: 0 is none, and runs first; then 1, 2, ….
        delay_ms: the wait last asked for.
        attempts_made: attempts that have ended.
        attempts_started: attempts that have begun, stalled ones included.
        stalled_count: how often a worker died or froze over it.
        progress: last value given to ``update_progress``, or None.
        return_value: the handler's result once completed.
        failed_reason: text of the last error, or None.
        stacktrace: one entry per failed attempt, oldest first.
        processed_on, finished_on: milliseconds since the epoch, or None.
        processed_by: name of the worker that started it last, or None.
        parent_key: full key of the parent job, or None.
        ended_attempt: number of the attempt whose end a hook is called for; None elsewhere.
        should_stop: True in a thread whose run was cancelled, timed out or handed back: nothing else can stop it.
        was_added: False of a job that an ``add`` returned and did not add: one of its id was there already, or it
            was deduplicated; else True.
    """

    id: str
    name: str
    data: T
    options: JobOptions
    queue: str
    timestamp: int
    port: JobPort
    priority: int = 0
    delay_ms: int = 0
    attempts_made: int = 0
    attempts_started: int = 0
    stalled_count: int = 0
    progress: Any = None
    return_value: Any = None
    failed_reason: str | None = None
    stacktrace: tuple[str, ...] = ()
    processed_on: int | None = None
    finished_on: int | None = None
    processed_by: str | None = None
    parent_key: str | None = None
    ended_attempt: int | None = None
    was_added: bool = True
    should_stop: bool = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "data":
            what = f"{type(self).__name__}.{name}"
            if not hasattr(self, name):
                raise AttributeError(
                    f"{what} does not exist: it cannot be assigned{suggestion(name, type(self).__struct_fields__)}"
                )
            method = _CHANGED_BY.get(name)
            hint = f"; await job.{method}(…) changes it" if method else ""
            raise AttributeError(f"{what} is what was read of the job: it cannot be assigned{hint}")
        set_field(self, name, value)

    @property
    def attempt(self) -> int:
        """Number of the attempt that runs or would run next, from 1; in a hook, of the attempt that has ended."""
        return self.attempts_made + 1 if self.ended_attempt is None else self.ended_attempt

    @property
    def sync(self) -> BlockingJob[T]:
        """This job for code without a running loop: ``job.sync.log("…")`` blocks until it is done."""
        view: BlockingJob[T] = self.port.blocking(self)
        return view

    async def update_progress(self, value: Any) -> None:
        """Store progress (any JSON value) and announce it.

        Raises:
            PayloadError: the value is not JSON-able.
            JobNotFound: the job was removed.
        """
        await self.port.update_progress(self.id, value)
        set_fields(self, progress=value)

    async def update_data(self, data: T) -> None:
        """Replace the payload; the next attempt is given it.

        Raises:
            PayloadError: it is not JSON-able.
            JobNotFound: the job was removed.
        """
        await self.port.update_data(self.id, data)
        self.data = data

    async def state(self) -> JobState:
        """Return where the job is now."""
        return await self.port.state(self.id)

    async def change_delay(self, delay: Duration) -> None:
        """Let a delayed job run so long after now.

        Raises:
            InvalidOption: it is no duration.
            JobNotFound: the job was removed.
            JobStateError: it is not delayed.
        """
        set_fields(self, delay_ms=await self.port.change_delay(self.id, delay))

    async def change_priority(self, priority: int, *, lifo: bool = False) -> None:
        """Give the job another priority; if it waits, it goes behind those of the same one.

        Args:
            priority: 1 runs before 2; up to 2,097,151. 0 is none, and runs before 1.
            lifo: put it before those of the same priority instead. Defaults to False.

        Raises:
            InvalidOption: the priority is out of its range, or ``lifo`` is neither True nor False.
            JobNotFound: the job was removed.
        """
        checks.whole("priority", priority, most=MAX_PRIORITY)
        await self.port.change_priority(self.id, priority, lifo=lifo)
        set_fields(self, priority=priority)

    async def retry(
        self, *, state: Literal["failed", "completed"] = "failed", reset_attempts: ResetAttempts = False
    ) -> None:
        """Put the job back to wait, if it has ended in this state.

        A job with children that have not ended, or that failed it, waits for them first: retry these too.

        Args:
            state: ``"failed"``, the default, or ``"completed"``, which runs a job again that has succeeded.
            reset_attempts: count its attempts, its starts and its stalls from the beginning; ``"made"`` its
                attempts alone, ``"started"`` its starts alone. Defaults to False:
                it has one more attempt, and is tried again only while some of its attempts are left.

        Raises:
            InvalidOption: the state is another one, or ``reset_attempts`` is none of these.
            JobNotFound: the job was removed.
            JobStateError: it is in another state, which the message names, or it has expired, so that a worker
                would drop it; nothing was changed.
        """
        await self.port.retry(self.id, state=state, reset_attempts=reset_attempts)

    async def remove(self, *, children: bool = True) -> None:
        """Remove the job, its logs and its place in the queue.

        Args:
            children: remove all below it as well, in whatever queues they are. Defaults to True.

        Raises:
            JobNotFound: there is no such job.
            JobLocked: a worker is running it, or one below it; nothing was removed.
            JobStateError: it is the next run of a schedule.
        """
        await self.port.remove(self.id, children=children)

    async def remove_unprocessed_children(self) -> int:
        """Remove the children that the job still waits for, with all below; those that run or failed stay.

        Returns how many jobs were removed. If none is left to wait for, the job itself goes on.

        Raises:
            JobNotFound: the job was removed.
        """
        return await self.port.remove_unprocessed_children(self.id)

    async def promote(self) -> None:
        """Let a delayed job run now.

        Raises:
            JobNotFound: the job was removed.
            JobStateError: it is not delayed.
        """
        await self.port.promote(self.id)

    @overload
    async def wait_for_result(self, timeout: Duration | None = None, *, result_type: type[R]) -> R: ...

    @overload
    async def wait_for_result(self, timeout: Duration | None = None, *, result_type: Any = None) -> Any: ...

    async def wait_for_result(self, timeout: Duration | None = None, *, result_type: Any = None) -> Any:
        """Wait until the job ends, and return its result.

        Args:
            timeout: how long at most. Defaults to no limit.
            result_type: what it is read as; ``Any`` for plain values. Defaults to the return type of the handler
                that the queue declares in this process, or plain values.

        Raises:
            JobFailed: it ended failed; the reason is carried.
            ResultTimeout: it did not end in time.
            JobNotFound: it was removed before its result could be read.
            PayloadError: the type cannot be read from JSON; or the result does not fit it: the job has completed.
        """
        decode = self.port.result_decoder(self.name) if result_type is None else decoder_for(result_type)
        value = await self.port.wait_for_result(self.id, timeout)
        if decode is None:
            return value
        try:
            return decode(msgspec.json.encode(value))
        except PayloadError as error:
            raise PayloadError(
                f"the result of job {self.id} ({self.name!r}) is not what its handler declares: {error}; "
                "result_type=Any reads it as it is"
            ) from error

    async def cancel(self, reason: str = "") -> None:
        """Fail the job without a retry, in whatever state it is before its end.

        The worker that runs it, in whatever process, cancels its coroutine or kills its child process within a
        fraction of a second; a plain function in a thread cannot be stopped and is given up. A job that nobody
        runs fails when a worker comes to it, without being run; one that is delayed, or waits for children, goes
        to wait for that. Waiters get ``JobFailed`` with the reason ``cancelled`` or ``cancelled: <reason>``.

        A job that ends before its worker hears of this stays as it ended. BullMQ's workers do not stop a run, but
        fail the job at its next start.

        Args:
            reason: why, for the job's record. Defaults to none.

        Raises:
            InvalidOption: the reason is no text, or has a lone surrogate.
            JobNotFound: the job was removed.
            JobStateError: it has ended.
        """
        await self.port.cancel(self.id, reason)

    async def refresh(self) -> Job[Any]:
        """Read the job again.

        Raises:
            JobNotFound: it was removed.
        """
        current = await self.port.get_job(self.id)
        if current is None:
            raise JobNotFound(self.id, f"job {self.id} of queue {self.queue!r} does not exist (any more)")
        return current

    async def move_to_delayed(self, delay: Duration) -> NoReturn:
        """In the job's handler: end this run here, and run the handler again after a while.

        No attempt is used up. What the next run is to know, keep with ``update_data``.

        Args:
            delay: how long from now.

        Raises:
            Delay: always; it ends the run, so let it pass.
            InvalidOption: it is no duration.
        """
        milliseconds(delay, option="delay")
        raise Delay(delay)

    async def move_to_wait(self) -> NoReturn:
        """In the job's handler: end this run here, and be the next in line again. No attempt is used up.

        Raises:
            Requeue: always; it ends the run, so let it pass.
        """
        raise Requeue

    async def wait_for_children(self) -> None:
        """In the job's handler: go on when every child has ended.

        With children still to come the run ends here, and the handler runs again from its beginning when the
        last one has ended; no attempt is used up. A child that failed with the policy ``fail_parent`` fails
        the job. With nothing to wait for, this returns.

        Raises:
            WaitForChildren: there is something to wait for; it ends the run, so let it pass.
        """
        if await self.port.is_held_by_children(self.id):
            raise WaitForChildren

    async def rate_limit(self, duration: Duration) -> NoReturn:
        """In the job's handler: end this run here, and let no job of the queue start for a while.

        This job is the first one after that; no attempt is used up.

        Args:
            duration: how long from now, for all workers of the queue.

        Raises:
            RateLimited: always; it ends the run, so let it pass.
            InvalidOption: it is no duration.
        """
        milliseconds(duration, option="duration")
        raise RateLimited(duration)


_CHANGED_BY = {"progress": "update_progress", "priority": "change_priority", "delay_ms": "change_delay"}


def set_fields(job: Job[Any], **values: Any) -> None:
    """Change fields of a job as it is known here, to match what was written to the server."""
    for name, value in values.items():
        set_field(job, name, value)


JobProcessor = Callable[[Job[T]], Awaitable[Any] | Any]
"""A handler: ``async def``, or a plain ``def`` that runs in a thread or a child process."""

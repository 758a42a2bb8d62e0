"""This module has the whole exception tree of Stockyard.

    StockyardError
    ├── ConfigError              settings, environment or topology are wrong
    │   ├── UnknownQueue         no queue of that name is declared
    │   └── UnsafeServer         a critical queue's server may lose its jobs, or does not say that it will not
    ├── InvalidOption            an argument is out of its range or not known (also a ValueError)
    ├── PayloadError             a payload or result does not fit JSON or the declared type
    ├── HandlerError             a handler cannot be used or found
    ├── BlockingCallRefused      a blocking call would wait for ever, or stop an event loop (also a RuntimeError)
    ├── JobError                 one job cannot do what was asked
    │   ├── JobNotFound          its record does not exist (any more)
    │   ├── JobStateError        it is not in the state that the operation needs
    │   ├── JobLocked            a worker is running it
    │   └── LeaseLost            its lease passed to another worker or ran out
    ├── QueueStateError          the queue is not in the state that the operation needs
    │   └── QueueFull            as many jobs wait in it as may
    ├── ScheduleConflict         a schedule cannot be changed now
    ├── ScheduleNotFound         a queue has no such schedule
    ├── JobFailed                the awaited job ended failed
    ├── JobCancelled             what a job that was cancelled fails with
    ├── ResultTimeout            the awaited job did not end in time (also a TimeoutError)
    ├── LimitReached             a call would wait for its limits longer than it may (also a TimeoutError)
    ├── LoadCycle                the load of a cache's entry would wait for itself
    ├── SharedWorkCancelled      work that several callers awaited was cancelled; they were not
    ├── JobTimeout               a handler ran longer than its timeout (also a TimeoutError)
    ├── WorkerProcessDied        the child process of a job ended before the job did
    ├── RemoteHandlerError       a handler raised something in a child process
    ├── NotificationFailed       an alert could not be sent
    ├── UnrecoverableError       raised by handlers: fail now, without a retry
    ├── RunSignal                raised by handlers: the run ends, and its job neither succeeded nor failed
    │   ├── Delay                it runs again after a while
    │   ├── Requeue              it runs again as soon as it can
    │   ├── WaitForChildren      it runs again when its children have ended
    │   ├── JobExpired           it was to run before, and does not run again
    │   └── RateLimited          no job of the queue starts for a while; it is the first one after that
    └── ServerError              the server did not do what was asked
        ├── ServerUnavailable    it cannot be reached; nothing was sent
        │   └── SlotMoving       a cluster moves the keys of a slot; nothing was done
        ├── ReplyLost            sent, and no reply came: the outcome is unknown
        ├── NotDurable           a job was added, and is not as safe as was asked for
        ├── ServerRefused        it answered with an error
        │   └── AuthenticationFailed
        ├── TlsFailed            one side does not accept the other's certificate
        ├── ServerTooOld         its version lacks what the engine needs
        └── EmbeddedServerError  the embedded server cannot be started or stopped

Foreign exceptions stop at the border: each error here carries the foreign one as its cause.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from stockyard._suggestion import suggestion

if TYPE_CHECKING:
    from datetime import timedelta

# fmt: off
__all__ = [
    "AuthenticationFailed", "BlockingCallRefused", "ConfigError", "Delay", "EmbeddedServerError",
    "HandlerError", "InvalidOption", "JobCancelled", "JobError", "JobExpired", "JobFailed", "JobLocked",
    "JobNotFound", "JobStateError", "JobTimeout", "LeaseLost", "LimitReached", "LoadCycle", "NotDurable",
    "NotificationFailed", "PayloadError", "QueueFull", "QueueStateError", "RateLimited", "RemoteHandlerError",
    "ReplyLost", "Requeue", "ResultTimeout", "RunSignal", "ScheduleConflict", "ScheduleNotFound",
    "ServerError", "ServerRefused", "ServerTooOld", "ServerUnavailable", "SharedWorkCancelled",
    "SlotMoving", "StockyardError", "TlsFailed", "UnknownQueue", "UnrecoverableError", "UnsafeServer",
    "WaitForChildren", "WorkerProcessDied",
]
# fmt: on


class StockyardError(Exception):
    """Root of every error that Stockyard raises on purpose."""


class ConfigError(StockyardError):
    """Settings, environment or topology are wrong; the message names every problem at once."""


class UnknownQueue(ConfigError):
    """No queue of that name is declared.

    Attributes:
        name: the name that was asked for.
        known: the declared names.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known: tuple[str, ...] = tuple(known)
        super().__init__(f"unknown queue {name!r}{suggestion(name, self.known)}")


class UnsafeServer(ConfigError):
    """A worker of a critical queue does not start: its server may lose jobs, or does not say that it will not.

    Attributes:
        queue: the queue's name.
        cause: what was found.
        danger: what it can lead to.
        remedy: what to do.
    """

    def __init__(self, queue: str, server: str, *, cause: str, danger: str, remedy: str) -> None:
        self.queue = queue
        self.cause = cause
        self.danger = danger
        self.remedy = remedy
        super().__init__(
            f"queue {queue!r} is critical, and is not worked on at {server}: {cause}; {danger}. Remedy: {remedy}"
        )


class InvalidOption(StockyardError, ValueError):
    """An option is not known, of a wrong type or out of its range."""


class PayloadError(StockyardError):
    """A payload or a result is not JSON-able or does not fit the declared type; the field is named."""


class HandlerError(StockyardError):
    """A handler is no callable, has a signature that cannot be served, or is not registered."""


class BlockingCallRefused(StockyardError, RuntimeError):
    """A method of ``.sync`` cannot block here, and the message says what to do instead.

    Its thread runs an event loop, the interpreter shuts down, the app was closed meanwhile, or gevent has replaced
    threads by greenlets.
    """


class JobError(StockyardError):
    """One job cannot do what was asked.

    Attributes:
        job_id: the job's id.
    """

    def __init__(self, job_id: str, message: str) -> None:
        self.job_id = job_id
        super().__init__(message)


class JobNotFound(JobError):
    """The job's record does not exist: never added, removed, or past its retention."""


class JobStateError(JobError):
    """The job is not in the state that the operation needs."""


class JobLocked(JobError):
    """A worker is running the job, so it cannot be removed."""


class LeaseLost(JobError):
    """The job's lease ran out or passed to another worker; what this worker did is not recorded."""


class QueueStateError(StockyardError):
    """The queue is not in the state that the operation needs.

    Attributes:
        queue: the queue's name.
    """

    def __init__(self, queue: str, message: str) -> None:
        self.queue = queue
        super().__init__(message)


class QueueFull(QueueStateError):
    """As many jobs wait in the queue as its ``max_length`` allows; the job was not added."""


class ScheduleConflict(StockyardError):
    """A schedule cannot be changed now: its next run exists already, as a job that must not be replaced.

    Attributes:
        schedule_id: the schedule's id.
    """

    def __init__(self, schedule_id: str, message: str) -> None:
        self.schedule_id = schedule_id
        super().__init__(message)


class ScheduleNotFound(StockyardError):
    """The queue has no schedule of that id.

    Attributes:
        schedule_id: the id.
    """

    def __init__(self, schedule_id: str, message: str) -> None:
        self.schedule_id = schedule_id
        super().__init__(message)


class JobFailed(StockyardError):
    """The awaited job ended failed.

    Attributes:
        job_id: the job's id.
        reason: its recorded failure reason.
    """

    def __init__(self, job_id: str, reason: str) -> None:
        self.job_id = job_id
        self.reason = reason
        super().__init__(f"job {job_id} failed: {reason}")


class JobCancelled(StockyardError):
    """What a job that ``job.cancel()`` stopped fails with; hooks get it."""


class ResultTimeout(StockyardError, TimeoutError):
    """The awaited job did not end within the caller's timeout; the job itself goes on."""


class LimitReached(StockyardError, TimeoutError):
    """A call would have to wait for the limits of an exchange longer than its timeout.

    Attributes:
        limits: the limits' name.
        limit: the one that it waits for; empty for a freeze, or when calls before it still wait.
        wait: seconds that it would have to wait; 0 when calls before it still wait.
    """

    def __init__(self, limits: str, limit: str, wait: float) -> None:
        self.limits = limits
        self.limit = limit
        self.wait = wait
        cause = f"limit {limit!r} of {limits!r}" if limit else f"a freeze of {limits!r}"
        text = (
            f"{cause} admits the call in {wait:.3f} s" if wait else f"calls under {limits!r} wait before this one"
        )
        super().__init__(f"{text}, which is later than its timeout")


class LoadCycle(StockyardError):
    """A loader asked, itself or by other loads, for the entry that it loads; waiting for it would never end."""


class SharedWorkCancelled(StockyardError):
    """Work that several callers awaited was cancelled, as by ``App.aclose`` or a loader that cancelled itself.

    Who is cancelled itself gets ``asyncio.CancelledError`` instead.
    """


class JobTimeout(StockyardError, TimeoutError):
    """A handler ran longer than its job's timeout and was stopped."""


class WorkerProcessDied(StockyardError):
    """The child process that ran a job ended before the job did.

    Attributes:
        exit_code: the child's exit status, or None when a signal ended it.
        signal: the signal's name (``SIGKILL``), or None.
        cause: how it ended, in words (``killed by SIGKILL``, ``exit code 3``, the limit that it exceeded).
    """

    def __init__(
        self, message: str, *, exit_code: int | None = None, signal: str | None = None, cause: str = "unknown"
    ) -> None:
        self.exit_code = exit_code
        self.signal = signal
        self.cause = cause
        super().__init__(message)


class RemoteHandlerError(StockyardError):
    """A handler raised something in a child process; ``str()`` of this is the message of the original.

    Attributes:
        type_name: the original exception's class, as a traceback prints it (``ValueError``, ``shop.NotPaid``).
        traceback: the child's traceback, as text.
        lineage: names of the original's class and of its bases, with their modules.
    """

    def __init__(self, message: str, *, type_name: str, traceback: str, lineage: tuple[str, ...] = ()) -> None:
        self.type_name = type_name
        self.lineage = lineage
        self.traceback = traceback
        super().__init__(message)


class UnrecoverableError(StockyardError):
    """Raise it in a handler to fail the job now, whatever attempts remain."""


class RunSignal(StockyardError):
    """The run ends here, and its job goes on later without having used up an attempt.

    ``job.move_to_delayed`` and similar methods raise these; handlers and middleware may raise them too. They are
    exceptions: who catches everything must let them pass.
    """


class Delay(RunSignal):
    """The job runs again after a while, from its beginning.

    Attributes:
        delay: how long it waits, as options say durations: ``"5m"``, a timedelta, or seconds.
    """

    def __init__(self, delay: str | float | timedelta) -> None:
        self.delay = delay
        super().__init__(f"delayed for {delay}")


class Requeue(RunSignal):
    """The job runs again as soon as a worker is free, before what waits already."""


class WaitForChildren(RunSignal):
    """The job runs again, from its beginning, when its children have ended; at once if they have."""


class JobExpired(RunSignal):
    """The job was to act before its expiry, which has come: it ends as expired, and does not run again."""


class RateLimited(RunSignal):
    """No worker starts a job of this queue for a while; this one is the first after that.

    Attributes:
        duration: how long, as options say durations: ``"30s"``, a timedelta, or seconds.
    """

    def __init__(self, duration: str | float | timedelta) -> None:
        self.duration = duration
        super().__init__(f"rate limited for {duration}")


class NotificationFailed(StockyardError):
    """An alert could not be sent: the webhook, mail server or service did not take it."""


class ServerError(StockyardError):
    """The server did not do what was asked."""


class ServerUnavailable(ServerError):
    """The server cannot be reached; nothing was sent, so repeating is safe."""


class SlotMoving(ServerUnavailable):
    """A cluster is moving the keys of a slot and did nothing for the whole timeout; repeating is safe."""


class ReplyLost(ServerError):
    """The call was sent and no reply came: it may or may not have happened."""


class NotDurable(ServerError):
    """Jobs were added, and the server did not confirm in time that they are as safe as was asked for.

    The jobs are there and will run. Should the server fail now, they may be lost: look for them, or add them again
    under the same ``job_id``, which adds nothing while they are there.

    Attributes:
        job_id, job_ids: the id of the job, of several the first; the ids of all.
        durability, why: what was asked for; what is missing.
    """

    def __init__(self, job_id: str, durability: str, why: str, job_ids: Iterable[str] = ()) -> None:
        self.job_id, self.job_ids = job_id, tuple(job_ids) or (job_id,)
        self.durability, self.why = durability, why
        what = f"job {job_id} was" if len(self.job_ids) == 1 else f"{len(self.job_ids)} jobs from {job_id} on were"
        super().__init__(f"{what} added, and durability {durability!r} is not confirmed: {why}")


class ServerRefused(ServerError):
    """The server answered with an error."""


class AuthenticationFailed(ServerRefused):
    """The server refused the user name or password."""


class TlsFailed(ServerError):
    """There is no TLS connection: one side does not accept the other's certificate, or a file does not serve."""


class ServerTooOld(ServerError):
    """The server's version lacks what the engine needs (Redis 6.2 or later, or any Valkey)."""


class EmbeddedServerError(ServerError):
    """The embedded server cannot be found, started or stopped."""

"""The messages between a worker and its child processes: msgpack, each after its length."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec

from stockyard.errors import (
    Delay,
    HandlerError,
    JobExpired,
    JobLocked,
    JobNotFound,
    JobStateError,
    LeaseLost,
    PayloadError,
    RateLimited,
    RemoteHandlerError,
    ReplyLost,
    Requeue,
    RunSignal,
    ServerError,
    ServerRefused,
    ServerUnavailable,
    StockyardError,
    UnrecoverableError,
    WaitForChildren,
)
from stockyard.model.duration import milliseconds
from stockyard.model.effect_errors import EffectHalted, EffectRecorded
from stockyard.model.job import Job
from stockyard.model.options import JobOptions
from stockyard.model.printing import message_of, storable, traceback_of
from stockyard.model.retry_rule import lineage_of

HEADER = struct.Struct("!Q")
"""A frame's length in bytes, before its body."""


class ChildTask(msgspec.Struct, array_like=True, tag="task"):
    """One job for a child process to run, with all that its handler may read of it.

    Attributes:
        handler: ``module:qualname``, from ``model.handler.reference``.
        data: JSON text of the payload, as stored.
        progress: JSON text of the last progress.
        trace: context of the run's span, or None.

    The others are those of ``Job``.
    """

    handler: str
    id: str
    name: str
    queue: str
    data: bytes
    options: JobOptions
    timestamp: int
    priority: int = 0
    delay_ms: int = 0
    attempts_made: int = 0
    attempts_started: int = 0
    stalled_count: int = 0
    progress: bytes = b"null"
    failed_reason: str | None = None
    stacktrace: tuple[str, ...] = ()
    processed_on: int | None = None
    processed_by: str | None = None
    parent_key: str | None = None
    trace: str | None = None

    @classmethod
    def of(cls, job: Job[Any], *, handler: str, data: bytes, trace: str | None = None) -> ChildTask:
        """Return the task of a job whose payload is still the JSON text ``data``."""
        copied = {name: getattr(job, name) for name in _COPIED}
        progress = msgspec.json.encode(job.progress)
        return cls(handler=handler, data=data, progress=progress, trace=trace, **copied)

    def job(self, data: Any, *, port: Any) -> Job[Any]:
        """Return the job that the handler is given."""
        copied = {name: getattr(self, name) for name in _COPIED}
        return Job(data=data, port=port, progress=msgspec.json.decode(self.progress), **copied)


_COPIED = tuple(
    name for name in ChildTask.__struct_fields__ if name not in ("handler", "data", "progress", "trace")
)


class Ready(msgspec.Struct, array_like=True, tag="ready"):
    """The child waits for its first task."""


class Withdraw(msgspec.Struct, array_like=True, tag="withdraw"):
    """The child is to give back the tasks that it has not begun; answered by ``Withdrawn``."""


class Withdrawn(msgspec.Struct, array_like=True, tag="withdrawn"):
    """The child gives back the latest of its tasks: it has not begun them, and will not.

    Attributes:
        count: how many.
    """

    count: int


class Call(msgspec.Struct, array_like=True, tag="call"):
    """The handler asks its job for something that the parent does; answered.

    Attributes:
        method: of the job's port.
        given: JSON text of a list of the arguments and an object of those given by name.
    """

    method: str
    given: bytes


class Answer(msgspec.Struct, array_like=True, tag="answer"):
    """The oldest open call of the child is done, with this result as JSON text."""

    result: bytes


class Returned(msgspec.Struct, array_like=True, tag="returned"):
    """The handler returned this, as JSON text."""

    result: bytes


class Signalled(msgspec.Struct, array_like=True, tag="signalled"):
    """The handler ended its run by a signal.

    Attributes:
        signal: its class.
        wait: what it carries: the duration, with a timedelta as seconds; what an effect recorded; why a
            job expired; or None.
    """

    signal: str
    wait: float | str | None

    @classmethod
    def of(cls, signal: RunSignal) -> Signalled:
        """Describe a signal.

        Raises:
            InvalidOption: the duration that it carries is none.
        """
        kind = next(kind for kind in type(signal).__mro__ if kind in _SIGNALS.values())
        match signal:
            case Delay():
                return cls(kind.__name__, _wait(signal.delay, "delay"))
            case RateLimited():
                return cls(kind.__name__, _wait(signal.duration, "duration"))
            case EffectRecorded():
                return cls(kind.__name__, signal.text)
            case JobExpired():
                return cls(kind.__name__, str(signal))
            case EffectHalted():
                return cls(kind.__name__, signal.key)
            case _:
                return cls(kind.__name__, None)

    def revived(self) -> RunSignal:
        """Return the signal to raise on this side."""
        kind = _SIGNALS[self.signal]
        return kind() if self.wait is None else kind(self.wait)


def _wait(duration: str | float | timedelta, option: str) -> float | str:
    milliseconds(duration, option=option)
    return duration.total_seconds() if isinstance(duration, timedelta) else duration


_SIGNALS: dict[str, Callable[..., RunSignal]] = {
    kind.__name__: kind
    for kind in (
        Delay,
        Requeue,
        WaitForChildren,
        RateLimited,
        EffectHalted,
        EffectRecorded,
        JobExpired,
        RunSignal,
    )
}


class Raised(msgspec.Struct, array_like=True, tag="raised"):
    """The handler, or the parent on the child's request, raised an exception."""

    kind: str
    type_name: str
    message: str
    traceback: str
    lineage: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: BaseException) -> Raised:
        """Describe an exception."""
        # By identity: a program may have a ServerError of its own.
        kinds = (kind.__name__ for kind in type(error).__mro__ if kind in _REVIVED_KINDS)
        module, name = type(error).__module__, type(error).__qualname__
        return cls(
            next(kinds, ""),
            storable(name if module == "builtins" else f"{module}.{name}"),
            message_of(error),
            traceback_of(error),
            lineage_of(error),
        )

    def revived(self, job_id: str) -> StockyardError:
        """Return the exception to raise on this side.

        It is a ``RemoteHandlerError``; or one of our own kinds on which callers act, caused by such a one.
        """
        remote = RemoteHandlerError(
            self.message, type_name=self.type_name, traceback=self.traceback, lineage=self.lineage
        )
        if self.kind not in _REVIVED:
            return remote
        revived = _REVIVED[self.kind](job_id, self.message)
        revived.__cause__ = remote
        return revived


def _plain(kind: type[StockyardError]) -> Callable[[str, str], StockyardError]:
    return lambda _job_id, message: kind(message)


_OF_JOBS = (JobNotFound, JobStateError, JobLocked, LeaseLost)
_PLAIN = (UnrecoverableError, PayloadError, HandlerError, ServerUnavailable, ReplyLost, ServerRefused, ServerError)
_REVIVED_KINDS: frozenset[type] = frozenset((*_OF_JOBS, *_PLAIN))
_REVIVED: dict[str, Callable[[str, str], StockyardError]] = {
    **{kind.__name__: kind for kind in _OF_JOBS},
    **{kind.__name__: _plain(kind) for kind in _PLAIN},
}


ToChild = ChildTask | Answer | Raised | Withdraw
FromChild = Ready | Call | Returned | Signalled | Raised | Withdrawn
End = Returned | Signalled | Raised

_ENCODER = msgspec.msgpack.Encoder()
to_child: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
from_child: msgspec.msgpack.Decoder[FromChild] = msgspec.msgpack.Decoder(FromChild)


def encode(frame: ToChild | FromChild) -> bytes:
    """Return a frame with its length before it."""
    body = _ENCODER.encode(frame)
    return HEADER.pack(len(body)) + body


class FrameReader:
    """Cuts what a child sent into frames, however the pipe has cut it."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, received: bytes) -> list[FromChild]:
        """Add what was received; return the frames that are whole by now."""
        self._received += received
        frames: list[FromChild] = []
        at = 0
        while len(self._received) >= at + HEADER.size:
            (size,) = HEADER.unpack_from(self._received, at)
            end = at + HEADER.size + size
            if len(self._received) < end:
                break
            frames.append(from_child.decode(bytes(self._received[at + HEADER.size : end])))
            at = end
        del self._received[:at]
        return frames

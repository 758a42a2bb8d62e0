"""One effect of a job on the outside world, at most once: the block around the call to a venue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any, Self, TypeVar

from stockyard import telemetry
from stockyard.errors import (
    BlockingCallRefused,
    Delay,
    InvalidOption,
    JobExpired,
    ReplyLost,
    ServerUnavailable,
)
from stockyard.model import checks
from stockyard.model.deadlines import Deadline
from stockyard.model.effect_errors import (
    EffectHalted,
    EffectMismatch,
    EffectRecorded,
    EffectRefused,
    NotApplied,
    OutcomeUnknown,
)
from stockyard.model.effect_port import EffectPort, EffectReport, EffectRequest, EffectStart
from stockyard.model.effect_record import EffectOutcome
from stockyard.model.payload import encode_payload
from stockyard.model.printing import message_of, storable

R = TypeVar("R")

_TRIES = 4
_KEEPS_TRYING = 30.0
_PAUSE = 0.2
"""Seconds: what a venue answered is written though the server is away for a while."""
_LONGEST_REASON = 2_000
_RECORDED = "what was recorded of effect"


class Effect:
    """The block around a dangerous step; made by ``job.effect``.

    ``async with`` in a coroutine, ``with`` in a plain function (in a thread or a child process). Entering it
    writes the intent on the server, leaving it writes the outcome: ``record`` and ``failed`` say which one; an
    exception other than ``NotApplied`` leaves it unknown, as the venue may have applied the request.

    Attributes:
        key: of the effect.
        fence: how often it was begun, by all jobs and attempts; 0 before the block.
        started_on: when it was begun, ms since the epoch by the server's clock; 0 before the block. Sign the
            request with this time and a receive window of the rest, and the venue itself refuses one that was
            sent too late.
        deadline: until when the step has to be over, by the same clock; 0 before the block.
    """

    __slots__ = (
        "_deadline",
        "_ends_at",
        "_failure",
        "_job_id",
        "_port",
        "_request",
        "_span",
        "_stands",
        "_traced",
        "_value",
        "deadline",
        "fence",
        "key",
        "started_on",
    )

    def __init__(self, port: EffectPort, job_id: str, request: EffectRequest) -> None:
        self.key: str = request.key
        self.fence: int = 0
        self.started_on: int = 0
        self.deadline: int = 0
        self._port = port
        self._job_id = job_id
        self._request = request
        self._ends_at = 0.0
        self._value: str | None = None
        self._failure: str | None = None
        self._deadline: Deadline | None = None
        self._span: AbstractContextManager[telemetry.Span] | None = None
        self._stands = ""

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, by this machine's steady clock: what a time-out may last."""
        return max(self._ends_at - time.monotonic(), 0.0)

    def record(self, value: Any = None) -> None:
        """Say that the venue applied it; the end of the block writes this.

        Args:
            value: what the venue answered, any JSON value; a later run of the job returns it. Defaults to None.

        Raises:
            InvalidOption: the block has not begun, or ``failed`` has said the opposite.
            PayloadError: the value is not JSON-able.
        """
        self._check_begun("record")
        if self._failure is not None:
            raise self._contradiction("record", f"failed({self._failure!r})")
        self._value = "null" if value is None else encode_payload(value, what=_RECORDED, of=self.key).decode()

    def failed(self, reason: str) -> None:
        """Say that the venue certainly did not apply it; the end of the block writes this.

        Args:
            reason: why, for the record.

        Raises:
            InvalidOption: the block has not begun, ``record`` has said the opposite, or it is no text.
        """
        self._check_begun("failed")
        if self._value is not None:
            # What was recorded stands: an order that may be there is not sent again.
            raise self._contradiction("failed", "record()")
        self._failure = checks.line("reason", reason)

    async def run(self, function: Callable[[Effect], Awaitable[R]]) -> R | Any:
        """Call the function in the block, record what it returns unless it called ``failed``, and return that.

        A later run does not call it: it returns what was recorded, as plain values, and goes on. With this, a
        handler may have several effects.

        Args:
            function: the step; it is given the effect.

        Raises:
            OutcomeUnknown, EffectMismatch, EffectRefused, EffectHalted: see ``Job.effect``.
        """
        try:
            await self.__aenter__()
        except EffectRecorded as recorded:
            return recorded.value
        error: BaseException | None = None
        try:
            result = await function(self)
            if self._failure is None:
                self.record(result)
        except BaseException as raised:
            error = raised
            raise
        finally:
            await self.__aexit__(None if error is None else type(error), error, None)
        return result

    async def begin(self, *, is_awaited: bool = False) -> Self:
        """Write the intent, or raise what keeps the step from being done; ``with`` and ``async with`` call it.

        Args:
            is_awaited: by ``async with``: the step is cancelled when its time is over. Defaults to False.
        """
        if self.fence:
            raise InvalidOption(f"effect {self.key} was begun already: make another by job.effect()")
        asked = time.monotonic()
        for tries_left in range(_TRIES - 1, -1, -1):
            try:
                start = await self._port.begin_effect(self._job_id, self._request)
                break
            except ReplyLost:
                # Asked again under the same nonce, the server answers as it did.
                if not tries_left:
                    raise
        if start.result != "begun":
            raise _what_keeps_from(start)
        self.fence, self.started_on, self.deadline = start.fence, start.started_on, start.deadline
        self._ends_at = asked + start.left_ms / 1000
        if is_awaited:
            self._begin_span()
            self._deadline = Deadline(self.remaining)
        return self

    async def end(self, error: BaseException | None) -> None:
        """Write the outcome; ``with`` and ``async with`` call it.

        Raises:
            OutcomeUnknown: nobody knows whether it was applied.
        """
        outcome, reason = self._outcome(error)
        value = self._value or ""
        report = EffectReport(self.key, self._request.nonce, self.fence, outcome, value, reason[:_LONGEST_REASON])
        for tries_left in range(_TRIES - 1, -1, -1):
            try:
                stands = self._stands = await self._port.report_effect(self._job_id, report)
                break
            except ReplyLost:
                if not tries_left:
                    raise
        if error is not None and not isinstance(error, NotApplied):
            return
        if outcome != EffectOutcome.COMMITTED and stands == EffectOutcome.UNKNOWN:
            raise OutcomeUnknown(
                f"effect {self.key} may have been applied: {reason}"
                if outcome == EffectOutcome.UNKNOWN
                else f"effect {self.key} may have been applied by an earlier attempt; this one failed: {reason}"
            ) from error

    def __aenter__(self) -> Coroutine[Any, Any, Self]:
        return self.begin(is_awaited=True)

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: Any
    ) -> Coroutine[Any, Any, None]:
        assert self._deadline is not None
        is_late = self._deadline.end(error)
        if error is None and self._value is not None:
            return self._end_committed(self._value)
        return self._end_otherwise(error, is_late=is_late)

    async def _end_committed(self, value: str) -> None:
        report = EffectReport(self.key, self._request.nonce, self.fence, EffectOutcome.COMMITTED, value)
        try:
            self._stands = await self._port.report_effect(self._job_id, report)
        except (ServerUnavailable, ReplyLost, asyncio.CancelledError) as failure:
            await self._end_in_spite_of(failure, None)
        finally:
            if self._span is not None:
                self._end_span(None)

    async def _end_otherwise(self, error: BaseException | None, *, is_late: bool) -> None:
        cause = error
        if is_late:
            seconds = (self.deadline - self.started_on) / 1000
            cause = TimeoutError(f"effect {self.key} was not over within its {seconds:g} s")
        try:
            await self.end(cause)
        except (ServerUnavailable, ReplyLost, asyncio.CancelledError) as failure:
            await self._end_in_spite_of(failure, cause)
        finally:
            if self._span is not None:
                self._end_span(cause)
        if is_late and cause is not None:
            raise cause from error

    def __enter__(self) -> Self:
        if asyncio._get_running_loop() is not None:
            raise BlockingCallRefused(
                f"effect {self.key}: `with` would stop the event loop that runs in this thread; write `async with "
                "job.effect(...) as effect`"
            )
        self._port.blocking(self).begin()
        self._begin_span()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            self._port.blocking(self).end(error)
        finally:
            self._end_span(error)

    def _begin_span(self) -> None:
        tracer = telemetry.tracer
        if tracer is not None:
            self._span = tracer.span(
                telemetry.EFFECT, {"effect": self.key, "job": self._job_id, "fence": self.fence}
            )
            self._traced = self._span.__enter__()

    def _end_span(self, error: BaseException | None) -> None:
        span, self._span = self._span, None
        if span is not None:
            self._traced.note(outcome=self._stands or self._outcome(error)[0], error=error)
            span.__exit__(None, None, None)

    async def _end_in_spite_of(self, failure: BaseException, error: BaseException | None) -> None:
        """Write the outcome though the server is away, or the run is broken off."""
        if isinstance(failure, asyncio.CancelledError):
            await self._end_apart(error)
            raise failure
        if self._value is None:
            raise failure
        try:
            await asyncio.sleep(_PAUSE)
            await self._end_though_away(error)
        except asyncio.CancelledError:
            await self._end_apart(error)
            raise

    async def _end_apart(self, error: BaseException | None) -> None:
        # A run that is broken off must not take with it what it knows: it says so again, which is harmless, in a
        # task of its own.
        ending = asyncio.ensure_future(self._end_though_away(error))
        ending.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await asyncio.wait([ending])

    async def _end_though_away(self, error: BaseException | None) -> None:
        until = time.monotonic() + _KEEPS_TRYING
        while True:
            try:
                return await self.end(error)
            except (ServerUnavailable, ReplyLost):
                if self._value is None or time.monotonic() > until:
                    raise
                await asyncio.sleep(_PAUSE)

    def _check_begun(self, method: str) -> None:
        if not self.fence:
            raise InvalidOption(
                f"{method}() says how the block of effect {self.key} ended, and it has not begun: write `async "
                f"with job.effect(...) as effect`, and call effect.{method}() in it"
            )

    def _contradiction(self, method: str, before: str) -> InvalidOption:
        return InvalidOption(
            f"{method}() contradicts {before}, which the block of effect {self.key} called before: call one"
        )

    def _outcome(self, error: BaseException | None) -> tuple[EffectOutcome, str]:
        # What the venue answered stands, whatever was raised behind it.
        if self._value is not None:
            return EffectOutcome.COMMITTED, ""
        if isinstance(error, NotApplied):
            return EffectOutcome.FAILED, storable(message_of(error)) or "not applied"
        if error is not None:
            return EffectOutcome.UNKNOWN, storable(f"{type(error).__name__}: {message_of(error)}")
        if self._failure is not None:
            return EffectOutcome.FAILED, self._failure or "failed"
        return EffectOutcome.UNKNOWN, "its block ended without effect.record() and without effect.failed()"


def _what_keeps_from(start: EffectStart) -> Exception:
    """Return the error that says why an effect was not begun."""
    match start.result:
        case "recorded":
            return EffectRecorded(start.value)
        case "wait":
            return Delay(start.wait_ms / 1000)
        case "unknown":
            return OutcomeUnknown(start.reason)
        case "mismatch":
            return EffectMismatch(start.reason)
        case "expired":
            return JobExpired(start.reason)
        case "halted":
            return EffectHalted(start.halted_key, start.reason)
    return EffectRefused(start.reason)


def hasten(effect: Effect, seconds: float) -> None:
    """Let an effect's deadline come so much sooner: its clock was moved by hand."""
    effect._ends_at -= seconds
    if effect._deadline is not None:
        effect._deadline.hasten(seconds)

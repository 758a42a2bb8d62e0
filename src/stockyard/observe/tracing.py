"""Makes the spans of OpenTelemetry, under the names of its messaging conventions and under BullMQ's."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from time import time_ns
from types import TracebackType
from typing import Any

import msgspec
from opentelemetry import baggage, propagate, trace
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from stockyard import telemetry
from stockyard.errors import RemoteHandlerError
from stockyard.model.masking import mask_secrets
from stockyard.model.printing import message_of, traceback_of
from stockyard.telemetry import NO_SPAN, Span

_W3C = frozenset(("traceparent", "tracestate", "baggage"))
_PLAIN = re.compile(r'\{"traceparent":"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})"\}')
_carriers = msgspec.json.Decoder(dict[str, Any])
_MOST_LINKS = 128
"""Links of one span that the SDK keeps by default."""

Attributes = Mapping[str, object]


class SpanMaker:
    """The tracer of a process.

    Args:
        provider: whose tracer makes spans; None for the global one.
        sample: share of what begins a trace here that is traced.
        link_after_ms: a run that was delayed by more links to its producer; None for none.
        rng: draws the sample. Defaults to a new one.
    """

    def __init__(
        self,
        provider: Any,
        *,
        sample: float = 1.0,
        link_after_ms: int | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.tracer = trace.get_tracer("stockyard", version("stockyard"), provider)
        self._sample = sample
        self._link_after_ms = link_after_ms
        self._draw = (rng or random.Random()).random
        self._propagator: object = None
        self._is_w3c = False
        self._latest: tuple[str, Context | None] = ("", None)

    def span(self, operation: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """Return a block that is one span; without effect where it is not traced."""
        return _MAKERS[operation](self, attributes)

    def carrier(self) -> str | None:
        """Return the context of the running code as BullMQ writes it: JSON of what the propagator injects."""
        return self.carrier_of(None)

    def resume(self, carrier: str) -> None:
        """Let the running code, to the end of its own context, be part of what the carrier names."""
        if (context := self._extracted(carrier)) is not None:
            attach(context)

    def log_fields(self, context: object | None = None) -> Mapping[str, str]:
        """Return the ids of a span as log lines have them."""
        named = context if isinstance(context, SpanContext) else trace.get_current_span().get_span_context()
        if not named.is_valid:
            return {}
        return {
            "trace_id": f"{named.trace_id:032x}",
            "span_id": f"{named.span_id:016x}",
            "trace_flags": f"{named.trace_flags:02x}",
        }

    def carrier_of(self, context: Context | None) -> str | None:
        """Return a context as text, that of the running code for None; None where it names nothing."""
        named = trace.get_current_span(context).get_span_context()
        # Ten microseconds less than the propagators need, for what nearly every job carries.
        if self._uses_w3c() and named.is_valid and not named.trace_state and not baggage.get_all(context):
            return f'{{"traceparent":"00-{named.trace_id:032x}-{named.span_id:016x}-{named.trace_flags:02x}"}}'
        fields: dict[str, str] = {}
        propagate.inject(fields, context=context)
        return msgspec.json.encode(fields).decode() if fields else None

    def traces_add(self) -> bool:
        """Say whether an add is traced: it is part of a trace, or begins one of the sample."""
        if get_current() and trace.get_current_span().get_span_context().is_valid:
            return True
        return self.begins()

    def traces_run(self, carrier: str | None) -> bool:
        """Say whether a run is traced: its job carries a context, or it begins a trace of the sample."""
        return carrier is not None or self.begins()

    def begins(self) -> bool:
        """Draw whether what begins a trace here is traced."""
        return self._sample >= 1 or self._draw() < self._sample

    def added(self, attributes: Attributes) -> AbstractContextManager[Span]:
        """Return the span of jobs that are added, in the trace of the running code."""
        around = trace.get_current_span().get_span_context()
        if around.is_valid and not around.trace_flags.sampled:
            return _Passed(self, None)
        queue = attributes.get("queue")
        known = _messaging("add", "create", queue)
        if (jobs := attributes.get("jobs")) is not None:
            known |= {"messaging.batch.message_count": jobs, "bullmq.job.bulk.count": jobs}
        else:
            known["bullmq.job.name"] = attributes.get("name")
        if (flows := attributes.get("flows")) is not None:
            known |= {"bullmq.flow.name": attributes.get("name"), "messaging.batch.message_count": flows}
        return _Live(self, f"add {queue}", SpanKind.PRODUCER, None, known)

    def run(self, attributes: Attributes) -> AbstractContextManager[Span]:
        """Return the span of a run, in the trace that its job carries."""
        carrier = attributes["carrier"]
        context = self._extracted(carrier) if isinstance(carrier, str) else None
        parent = None if context is None else trace.get_current_span(context).get_span_context()
        links: Sequence[Link] = ()
        if parent is None or not parent.is_valid:
            parent = None
        elif not parent.trace_flags.sampled:
            return _Passed(self, context)
        delay, most = attributes["delay_ms"], self._link_after_ms
        if parent is not None and most is not None and isinstance(delay, int) and delay > most:
            links = (Link(parent),)
            # What else the context has, as baggage, stays.
            context = trace.set_span_in_context(trace.INVALID_SPAN, context)
        known = _messaging("process", "process", attributes["queue"])
        known |= {
            "messaging.message.id": attributes["job"],
            "bullmq.job.id": attributes["job"],
            "bullmq.job.name": attributes["name"],
            "bullmq.job.attempts.made": attributes["attempt"],
        }
        if attributes["correlation"] is not None:
            known["messaging.message.conversation_id"] = attributes["correlation"]
        if attributes["causation"] is not None:
            known["stockyard.job.causation_id"] = attributes["causation"]
        name = f"process {attributes['queue']}"
        return _Live(self, name, SpanKind.CONSUMER, Context() if context is None else context, known, links)

    def exchange(self, attributes: Attributes) -> AbstractContextManager[Span]:
        """Return the span of a call that writes the ends of runs and takes jobs."""
        links = attributes["links"]
        assert isinstance(links, list)
        return _ServerCall(self, attributes["queue"], attributes["ended"], links[:_MOST_LINKS])

    def load(self, attributes: Attributes) -> AbstractContextManager[Span]:
        """Return the span of a cache entry that is loaded, in the trace of the running code."""
        known = {"stockyard.cache.name": attributes["cache"], "stockyard.cache.key": attributes["key"]}
        return self._inside(f"load {attributes['cache']}", SpanKind.INTERNAL, known)

    def effect(self, attributes: Attributes) -> AbstractContextManager[Span]:
        """Return the span of a step outside, in the trace of its run."""
        known = {
            "stockyard.effect.key": attributes["effect"],
            "stockyard.effect.fence": attributes["fence"],
            "bullmq.job.id": attributes["job"],
        }
        return self._inside(f"effect {attributes['effect']}", SpanKind.CLIENT, known)

    def _inside(self, name: str, kind: SpanKind, known: dict[str, Any]) -> AbstractContextManager[Span]:
        around = trace.get_current_span().get_span_context()
        is_traced = around.trace_flags.sampled if around.is_valid else self.begins()
        return _Live(self, name, kind, None, known) if is_traced else NO_SPAN

    def _extracted(self, carrier: str) -> Context | None:
        """Return the context that a job carries, or None where it cannot be read."""
        latest, known = self._latest
        if carrier == latest:
            # The jobs of one call that adds many carry the same.
            return known
        context: Context | None
        if self._uses_w3c() and (plain := _PLAIN.fullmatch(carrier)):
            trace_id, span_id, flags = (int(part, 16) for part in plain.groups())
            named = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
            context = trace.set_span_in_context(NonRecordingSpan(named), Context())
        else:
            try:
                context = propagate.extract(_carriers.decode(carrier), context=Context())
            except (msgspec.MsgspecError, AttributeError, TypeError, ValueError):
                context = None
        self._latest = (carrier, context)
        return context

    def _uses_w3c(self) -> bool:
        """Say whether the global propagator is the usual one, for traces and baggage of the W3C."""
        propagator = propagate.get_global_textmap()
        if propagator is not self._propagator:
            self._propagator, self._is_w3c = propagator, propagator.fields == _W3C
        return self._is_w3c


_MAKERS: dict[str, Callable[[SpanMaker, Attributes], AbstractContextManager[Span]]] = {
    telemetry.ADD: SpanMaker.added,
    telemetry.RUN: SpanMaker.run,
    telemetry.EXCHANGE: SpanMaker.exchange,
    telemetry.LOAD: SpanMaker.load,
    telemetry.EFFECT: SpanMaker.effect,
}


class _Live:
    """A span that is recorded if the provider's sampler says so; the block's code is part of it."""

    __slots__ = ("_attributes", "_context", "_kind", "_links", "_maker", "_name", "_parent", "_span", "_token")

    def __init__(
        self,
        maker: SpanMaker,
        name: str,
        kind: SpanKind,
        parent: Context | None,
        attributes: dict[str, Any],
        links: Sequence[Link] = (),
    ) -> None:
        self._maker = maker
        self._name = name
        self._kind = kind
        self._parent = parent
        self._attributes = attributes
        self._links = links

    @property
    def carrier(self) -> str | None:
        return self._maker.carrier_of(self._context)

    @property
    def context(self) -> object | None:
        return self._span.get_span_context() if self._span.is_recording() else None

    def note(self, **attributes: object) -> None:
        for name, value in attributes.items():
            if isinstance(value, BaseException):
                _fail(self._span, value)
            elif name == "outcome":
                self._span.set_attribute("stockyard.outcome", str(value).lower())
            elif name == "job":
                self._span.set_attributes({"messaging.message.id": str(value), "bullmq.job.id": str(value)})
            elif name == "was_added" and not value:
                self._span.set_attribute("stockyard.job.was_added", False)

    def __enter__(self) -> Span:
        self._span = self._maker.tracer.start_span(
            self._name, context=self._parent, kind=self._kind, attributes=self._attributes, links=self._links
        )
        self._context = trace.set_span_in_context(self._span, self._parent)
        self._token = attach(self._context)
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        detach(self._token)
        if isinstance(error, asyncio.CancelledError):
            self._span.set_attribute("stockyard.outcome", "cancelled")
        elif error is not None:
            _fail(self._span, error)
        self._span.end()


class _Passed:
    """No span: what the block adds is part of a trace that is not recorded.

    Args:
        maker: writes the context.
        context: what the block's code is part of; None leaves it as it is.
    """

    __slots__ = ("_attached", "_maker", "_token")

    context: object | None = None

    def __init__(self, maker: SpanMaker, context: Context | None) -> None:
        self._maker = maker
        self._attached = context

    @property
    def carrier(self) -> str | None:
        return self._maker.carrier()

    def note(self, **attributes: object) -> None: ...

    def __enter__(self) -> Span:
        if self._attached is not None:
            self._token = attach(self._attached)
        return self

    def __exit__(self, *_: object) -> None:
        if self._attached is not None:
            detach(self._token)


class _ServerCall:
    """The span of one call, which is made when it is over: most that find nothing are none."""

    __slots__ = ("_began", "_ended", "_links", "_maker", "_queue", "_taken")

    carrier: str | None = None
    context: object | None = None

    def __init__(self, maker: SpanMaker, queue: object, ended: object, links: list[Any]) -> None:
        self._maker = maker
        self._queue = queue
        self._ended = ended
        self._links = links
        self._taken: object = 0

    def note(self, **attributes: object) -> None:
        self._taken = attributes.get("taken", 0)

    def __enter__(self) -> Span:
        self._began = time_ns()
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        is_busy = (
            self._ended or self._taken or (error is not None and not isinstance(error, asyncio.CancelledError))
        )
        # It begins a trace of its own, also where it ends runs of traces.
        if not is_busy or not self._maker.begins():
            return
        operation = ("settle", "settle") if self._ended else ("receive", "receive")
        known = _messaging(*operation, self._queue)
        known |= {
            "messaging.batch.message_count": self._ended or self._taken,
            "stockyard.jobs.ended": self._ended,
            "stockyard.jobs.taken": self._taken,
        }
        span = self._maker.tracer.start_span(
            f"{operation[0]} {self._queue}",
            context=Context(),
            kind=SpanKind.CLIENT,
            attributes=known,
            links=[Link(each) for each in self._links],
            start_time=self._began,
        )
        if error is not None:
            _fail(span, error)
        span.end()


def _messaging(operation: str, kind: str, queue: object) -> dict[str, Any]:
    """Return what every span of a queue says."""
    return {
        "messaging.system": "bullmq",
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "messaging.destination.name": queue,
        "bullmq.queue.name": queue,
        "bullmq.queue.operation": operation,
    }


def _fail(span: trace.Span, error: BaseException) -> None:
    """Note what a span ended with; secrets in its text are masked, as in log lines."""
    if not span.is_recording():
        return
    reason = mask_secrets(message_of(error))
    kind = error.type_name if isinstance(error, RemoteHandlerError) else type(error).__name__
    span.set_attributes({"error.type": kind, "bullmq.job.failed.reason": reason})
    span.add_event(
        "exception",
        {
            "exception.type": kind,
            "exception.message": reason,
            "exception.stacktrace": mask_secrets(traceback_of(error)),
        },
    )
    span.set_status(Status(StatusCode.ERROR, reason))

"""Spans around what happens to jobs and cache loads; none until a tracer is set, and then those of the tracer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

ADD, EXCHANGE, RUN, LOAD, EFFECT = "add", "exchange", "run", "load", "effect"
"""What a span is about: jobs are added; ended runs are written and jobs taken, in one call; a job runs; a cache
entry is loaded; a job acts outside."""


class Span(Protocol):
    """Something that is under way."""

    @property
    def carrier(self) -> str | None:
        """Its context as text, which a job carries to its worker; None for no context."""

    @property
    def context(self) -> object | None:
        """What names it in the links of other spans and in log lines; None where it is not recorded."""

    def note(self, **attributes: object) -> None:
        """Add what became known since its begin; ``error`` is the exception that it ended with."""


class Tracer(Protocol):
    """Makes spans."""

    def span(self, operation: str, attributes: Mapping[str, object]) -> AbstractContextManager[Span]:
        """Return a block that is one span; what the block raises ends it as failed.

        Args:
            operation: ``ADD``, ``EXCHANGE``, ``RUN``, ``LOAD`` or ``EFFECT``.
            attributes: of the span; ``queue``, ``cache``, ``job``, ``name``, ``attempt`` and the like; of a run
                ``carrier`` as well, the context that the job carries, and of an exchange ``links``, the contexts
                of the runs whose ends it writes.
        """

    def traces_add(self) -> bool:
        """Say whether an add is traced that is made now; asked before its span is made, as most may be none."""

    def traces_run(self, carrier: str | None) -> bool:
        """Say whether a run is traced whose job carries this; asked before its span is made."""

    def carrier(self) -> str | None:
        """Return the context of the running code as text, for a job or a child process; None for none."""

    def resume(self, carrier: str) -> None:
        """Let the running code, to the end of its own context, be part of what the carrier names."""

    def log_fields(self, context: object | None = None) -> Mapping[str, str]:
        """Return what a log line says of a span: of that context, or of the running code."""


tracer: Tracer | None = None
"""Makes the spans of this process; None for none. Read at every use, so it may be set at any time.

Hot paths test it themselves: that costs a twentieth of a microsecond, a block without effect ten times as much.
"""


def set_tracer(chosen: Tracer | None) -> None:
    """Let a tracer make the spans of this process from now on; None ends that."""
    global tracer
    tracer = chosen


def span(operation: str, **attributes: object) -> AbstractContextManager[Span]:
    """Return a block that is one span of the tracer; without a tracer, a block without effect."""
    return NO_SPAN if tracer is None else tracer.span(operation, attributes)


def span_of_adds(**attributes: object) -> AbstractContextManager[Span]:
    """Return a block in which jobs are added; without effect where that is not traced."""
    return NO_SPAN if tracer is None or not tracer.traces_add() else tracer.span(ADD, attributes)


def log_fields(context: object | None = None) -> Mapping[str, str]:
    """Return what a log line says of a span: of that context, or of the running code; nothing without a tracer."""
    return {} if tracer is None else tracer.log_fields(context)


class _NoSpan:
    """The span of no tracer, and of what is not traced."""

    carrier: str | None = None
    context: object | None = None

    def note(self, **attributes: object) -> None: ...

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None: ...


NO_SPAN = _NoSpan()
"""A block without effect."""

"""Spans around what happens to jobs and cache loads; none until a tracer is set, and then those of the tracer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

ADD, EXCHANGE, RUN, LOAD = "add", "exchange", "run", "load"
"""What a span is about: jobs are added; ended runs are written and jobs taken, in one call; a job runs; a cache
entry is loaded."""


class Span(Protocol):
    """Something that is under way."""

    def note(self, **attributes: object) -> None:
        """Add what became known since its begin."""


class Tracer(Protocol):
    """Makes spans."""

    def span(self, operation: str, attributes: Mapping[str, object]) -> AbstractContextManager[Span]:
        """Return a block that is one span; what the block raises ends it as failed.

        Args:
            operation: ``ADD``, ``EXCHANGE``, ``RUN`` or ``LOAD``.
            attributes: of the span; ``queue``, ``cache``, ``job``, ``name``, ``attempt`` and the like.
        """


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
    return _NOTHING if tracer is None else tracer.span(operation, attributes)


class _Nothing:
    """The span of no tracer."""

    def note(self, **attributes: object) -> None: ...

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None: ...


_NOTHING = _Nothing()

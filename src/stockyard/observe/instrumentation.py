"""Switches the spans of OpenTelemetry on and off, in this process."""

from __future__ import annotations

from typing import Any

from stockyard import telemetry
from stockyard.errors import ConfigError, InvalidOption
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds


def instrument(tracer_provider: Any = None, *, sample: float = 1.0, link_after: Duration | None = None) -> None:
    """Make spans of OpenTelemetry in this process from now on; called again, it takes the new options.

    Programs that start by ``opentelemetry-instrument`` need not call it.

    Args:
        tracer_provider: whose tracer makes them. Defaults to the global one.
        sample: of what begins a trace here, the share that is traced, 0 to 1. What is part of a trace already is
            traced as that says. Defaults to 1: the sampler of the provider alone decides, which costs a quarter of
            a span.
        link_after: a run that its producer delayed by more than this begins a trace of its own, with a link to the
            producer's. Defaults to None: it is part of the producer's trace, as with BullMQ.

    Raises:
        ConfigError: OpenTelemetry is not installed.
        InvalidOption: an argument is out of its range.
    """
    if isinstance(sample, bool) or not isinstance(sample, int | float) or not 0 <= sample <= 1:
        raise InvalidOption(f"sample must be a share from 0 to 1; got {checks.shown(sample)}")
    after_ms = None if link_after is None else milliseconds(link_after, option="link_after")
    try:
        from stockyard.observe.tracing import SpanMaker
    except ImportError as error:
        raise ConfigError(
            "spans need OpenTelemetry, which is not installed: pip install 'stockyard[otel]'"
        ) from error
    telemetry.set_tracer(SpanMaker(tracer_provider, sample=sample, link_after_ms=after_ms))


def uninstrument() -> None:
    """Make no more spans in this process."""
    telemetry.set_tracer(None)


class StockyardInstrumentor:
    """What ``opentelemetry-instrument`` calls when a program starts."""

    def instrument(self, *, tracer_provider: Any = None, **_: Any) -> None:
        """Make spans from now on; see ``instrument``.

        Args:
            tracer_provider: whose tracer makes them. Defaults to the global one.
            _: what other instrumentations have.
        """
        instrument(tracer_provider)

    def uninstrument(self, **_: Any) -> None:
        """Make no more spans."""
        uninstrument()

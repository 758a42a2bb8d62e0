"""Spans of OpenTelemetry around adds, runs, effects and loads; needs the extra ``otel``."""

from stockyard.observe.instrumentation import StockyardInstrumentor, instrument, uninstrument

__all__ = ["StockyardInstrumentor", "instrument", "uninstrument"]

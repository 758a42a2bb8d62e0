"""Tracing makes spans of OpenTelemetry around adds, runs, effects and loads; it needs the extra ``otel``."""

from stockyard.observe.instrumentation import StockyardInstrumentor, instrument, uninstrument

__all__ = ["StockyardInstrumentor", "instrument", "uninstrument"]

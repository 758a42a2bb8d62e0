"""OpenTelemetry's own recording of spans, switched on for a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stockyard.tracing import instrument, uninstrument


class Recorder:
    """A provider, and the spans that it recorded."""

    def __init__(self) -> None:
        self.provider = TracerProvider()
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """Return the spans that have ended, or those of a name."""
        return [span for span in self._exporter.get_finished_spans() if name in (None, span.name)]

    def only(self, name: str | None = None) -> ReadableSpan:
        """Return the one span of a name."""
        (span,) = self.spans(name)
        return span


@contextmanager
def recording(**options: Any) -> Iterator[Recorder]:
    """Let this process make spans, with these options of ``instrument``."""
    recorder = Recorder()
    instrument(recorder.provider, **options)
    try:
        yield recorder
    finally:
        uninstrument()
        recorder.provider.shutdown()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """Return what a span says."""
    return dict(span.attributes or {})


def ids(span: ReadableSpan) -> tuple[int, int]:
    """Return the ids of a span's trace and of the span."""
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


def parent(span: ReadableSpan) -> int | None:
    """Return the id of the span around a span."""
    return None if span.parent is None else span.parent.span_id

"""Spans with and without a tracer."""

from collections.abc import Iterator

import pytest

from stockyard import telemetry
from tests.support.tracing import Tracer


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    """A tracer that makes this test's spans."""
    chosen = Tracer()
    telemetry.set_tracer(chosen)
    yield chosen
    telemetry.set_tracer(None)


def test_without_a_tracer_a_span_has_no_effect() -> None:
    assert telemetry.tracer is None
    with telemetry.span(telemetry.LOAD, cache="prices") as span:
        span.note(bytes=7)
    with pytest.raises(KeyError), telemetry.span(telemetry.LOAD):
        raise KeyError("kept")


def test_a_tracer_makes_the_spans(tracer: Tracer) -> None:
    with telemetry.span(telemetry.LOAD, cache="prices") as span:
        span.note(bytes=7)
    with pytest.raises(KeyError), telemetry.span(telemetry.LOAD, cache="books"):
        raise KeyError("lost")
    first, second = tracer.ended
    assert (first.operation, first.attributes, first.error) == ("load", {"cache": "prices", "bytes": 7}, None)
    assert isinstance(second.error, KeyError)

"""The spans of OpenTelemetry: what they are called, say, belong to, and when there are none."""

import asyncio
import random
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import SpanKind, StatusCode

import stockyard.tracing
from stockyard import ConfigError, InvalidOption, telemetry
from stockyard.observe.tracing import SpanMaker
from stockyard.tracing import StockyardInstrumentor, instrument, uninstrument
from tests.architecture.repository import ROOT
from tests.support.spans import Recorder, attributes, ids, parent

SAMPLED = '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}'
UNSAMPLED = SAMPLED.replace("-01", "-00")
RUN = {
    "queue": "orders",
    "job": "17",
    "name": "submit",
    "attempt": 1,
    "delay_ms": 0,
    "correlation": None,
    "causation": None,
    "carrier": None,
}


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    found = Recorder()
    yield found
    found.provider.shutdown()


def maker(recorder: Recorder, **options: Any) -> SpanMaker:
    return SpanMaker(recorder.provider, **options)


def run(made: SpanMaker, **given: object) -> AbstractContextManager[telemetry.Span]:
    return made.span(telemetry.RUN, {**RUN, **given})


def test_an_add_is_a_producer_and_its_job_carries_it(recorder: Recorder) -> None:
    with maker(recorder).span(telemetry.ADD, {"queue": "orders", "name": "submit"}) as span:
        carrier = span.carrier
        span.note(job="17", was_added=True)
    added = recorder.only()
    assert (added.name, added.kind) == ("add orders", SpanKind.PRODUCER)
    assert attributes(added) == {
        "messaging.system": "bullmq",
        "messaging.operation.name": "add",
        "messaging.operation.type": "create",
        "messaging.destination.name": "orders",
        "messaging.message.id": "17",
        "bullmq.queue.name": "orders",
        "bullmq.queue.operation": "add",
        "bullmq.job.name": "submit",
        "bullmq.job.id": "17",
    }
    trace_id, span_id = ids(added)
    assert carrier is not None
    assert carrier[:-4] == f'{{"traceparent":"00-{trace_id:032x}-{span_id:016x}-'
    assert int(carrier[-4:-2], 16) & 1


def test_a_run_is_a_consumer_below_the_add(recorder: Recorder) -> None:
    made = maker(recorder)
    with made.span(telemetry.ADD, {"queue": "orders", "name": "submit"}) as span:
        carrier = span.carrier
    with run(made, carrier=carrier, correlation="day-1", causation="signals/7") as span:
        inner = made.carrier()
        with made.span(telemetry.ADD, {"queue": "fills", "name": "fill"}):
            pass
        span.note(outcome="Completed", error=None)
    added, child, process = recorder.spans()
    assert (process.name, process.kind) == ("process orders", SpanKind.CONSUMER)
    assert len({ids(each)[0] for each in (added, child, process)}) == 1
    assert (parent(process), parent(child)) == (ids(added)[1], ids(process)[1])
    assert inner is not None
    assert f"{ids(process)[1]:016x}" in inner
    said = attributes(process)
    assert said["messaging.message.id"] == said["bullmq.job.id"] == "17"
    assert said["messaging.message.conversation_id"] == "day-1"
    assert said["stockyard.job.causation_id"] == "signals/7"
    assert said["stockyard.outcome"] == "completed"
    assert process.status.status_code is StatusCode.UNSET


def test_a_run_whose_job_carries_nothing_begins_a_trace(recorder: Recorder) -> None:
    made = maker(recorder)
    with made.span(telemetry.LOAD, {"cache": "books", "key": "A"}):  # what runs around a worker is no parent
        for carrier in (None, "no JSON", "[]", "{}", '{"traceparent":7}', '{"traceparent":"00-1-2-3"}'):
            with run(made, carrier=carrier):
                pass
    *runs, load = recorder.spans()
    assert len(runs) == 6
    assert [parent(each) for each in runs] == [None] * 6
    assert len({ids(each)[0] for each in (*runs, load)}) == 7


def test_what_a_producer_did_not_sample_is_passed_on(recorder: Recorder) -> None:
    made = maker(recorder)
    with run(made, carrier=UNSAMPLED) as span:
        assert span.context is None
        with made.span(telemetry.ADD, {"queue": "fills", "name": "fill"}) as added:
            assert added.carrier == UNSAMPLED
        with made.span(telemetry.EFFECT, {"effect": "o-1", "fence": 1, "job": "17"}) as effect:
            assert effect is telemetry.NO_SPAN
    assert recorder.spans() == []
    assert made.carrier() is None


def test_baggage_reaches_the_handler_and_what_it_adds(recorder: Recorder) -> None:
    made = maker(recorder)
    token = attach(baggage.set_baggage("account", "A1"))
    try:
        with made.span(telemetry.ADD, {"queue": "orders", "name": "submit"}) as span:
            carrier = span.carrier
    finally:
        detach(token)
    with run(made, carrier=carrier):
        assert baggage.get_baggage("account") == "A1"
        assert '"baggage":"account=A1"' in (made.carrier() or "")


def test_a_failure_is_an_error_without_secrets(recorder: Recorder) -> None:
    made = maker(recorder)
    with run(made) as span:
        span.note(outcome="Retried", error=ValueError("redis://u:secret@host is away"))
    with pytest.raises(KeyError), run(made):
        raise KeyError("lost")
    with pytest.raises(asyncio.CancelledError), run(made):
        raise asyncio.CancelledError
    retried, raised, cancelled = recorder.spans()
    assert (retried.status.status_code, attributes(retried)["error.type"]) == (StatusCode.ERROR, "ValueError")
    assert attributes(retried)["stockyard.outcome"] == "retried"
    (event,) = retried.events
    assert "secret" not in f"{event.attributes} {retried.status.description} {attributes(retried)}"
    assert attributes(raised)["error.type"] == "KeyError"
    assert (cancelled.status.status_code, attributes(cancelled)["stockyard.outcome"]) == (
        StatusCode.UNSET,
        "cancelled",
    )


def test_an_exchange_links_to_the_runs_that_it_ends(recorder: Recorder) -> None:
    made = maker(recorder)
    with run(made) as span:
        context = span.context
    with made.span(telemetry.EXCHANGE, {"queue": "orders", "ended": 2, "links": [context]}) as span:
        span.note(taken=3)
    with made.span(telemetry.EXCHANGE, {"queue": "orders", "ended": 0, "links": []}) as span:
        span.note(taken=3)
    with made.span(telemetry.EXCHANGE, {"queue": "orders", "ended": 0, "links": []}) as span:
        span.note(taken=0)
    process, settle, receive = recorder.spans()
    assert (settle.name, settle.kind, parent(settle)) == ("settle orders", SpanKind.CLIENT, None)
    assert [link.context.span_id for link in settle.links] == [ids(process)[1]]
    assert (receive.name, attributes(receive)["messaging.batch.message_count"]) == ("receive orders", 3)


def test_a_long_delay_is_a_link_where_that_is_asked_for(recorder: Recorder) -> None:
    made = maker(recorder, link_after_ms=60_000)
    for delay in (60_000, 60_001):
        with run(made, carrier=SAMPLED, delay_ms=delay):
            pass
    child, linked = recorder.spans()
    assert f"{parent(child):016x}" == "b7ad6b7169203331"
    assert (parent(linked), child.links) == (None, ())
    assert [f"{link.context.span_id:016x}" for link in linked.links] == ["b7ad6b7169203331"]
    assert ids(linked)[0] != ids(child)[0]


def test_effects_and_loads_are_part_of_the_run(recorder: Recorder) -> None:
    made = maker(recorder)
    with run(made):
        with made.span(telemetry.EFFECT, {"effect": "o-1", "fence": 1, "job": "17"}) as span:
            span.note(outcome="committed", error=None)
        with made.span(telemetry.LOAD, {"cache": "books", "key": "A"}):
            pass
    effect, load, process = recorder.spans()
    assert (effect.name, load.name) == ("effect o-1", "load books")
    assert attributes(effect)["stockyard.outcome"] == "committed"
    assert parent(effect) == parent(load) == ids(process)[1]


def test_a_sample_of_nothing_begins_no_trace_and_goes_on_with_others(recorder: Recorder) -> None:
    made = maker(recorder, sample=0)
    assert (made.traces_add(), made.traces_run(None), made.traces_run(SAMPLED)) == (False, False, True)
    with made.span(telemetry.LOAD, {"cache": "books", "key": "A"}) as span:
        assert (span.carrier, span.context) == (None, None)
    with made.span(telemetry.EXCHANGE, {"queue": "orders", "ended": 1, "links": []}) as span:
        span.note(taken=1)
    assert recorder.spans() == []
    with run(made, carrier=SAMPLED) as span:
        context = span.context
        assert made.traces_add()
        with made.span(telemetry.ADD, {"queue": "fills", "name": "fill"}):
            pass
    # A call that ends runs of traces begins one of its own all the same.
    with made.span(telemetry.EXCHANGE, {"queue": "orders", "ended": 1, "links": [context]}) as span:
        span.note(taken=0)
    assert [each.name for each in recorder.spans()] == ["add fills", "process orders"]


def test_log_lines_name_the_span(recorder: Recorder) -> None:
    made = maker(recorder)
    assert made.log_fields() == {}
    with run(made) as span:
        inside = made.log_fields()
        assert made.log_fields(span.context) == inside
    trace_id, span_id = ids(recorder.only())
    assert (inside["trace_id"], inside["span_id"]) == (f"{trace_id:032x}", f"{span_id:016x}")


def test_a_child_process_goes_on_with_the_run(recorder: Recorder) -> None:
    made = maker(recorder)

    async def child() -> None:
        made.resume(SAMPLED)
        with made.span(telemetry.ADD, {"queue": "fills", "name": "fill"}):
            pass

    asyncio.run(child())
    made.resume("no JSON")
    assert f"{parent(recorder.only()):016x}" == "b7ad6b7169203331"
    assert not trace.get_current_span().get_span_context().is_valid


def test_instrumenting_is_switched_on_and_off(recorder: Recorder) -> None:
    try:
        instrument(recorder.provider, sample=0.5, link_after="1m")
        assert telemetry.tracer is not None
        uninstrument()
        assert telemetry.tracer is None
        instrumentor = StockyardInstrumentor()
        instrumentor.instrument(tracer_provider=recorder.provider, skip_dep_check=True)
        with telemetry.span(telemetry.LOAD, cache="books", key="A"):
            pass
        instrumentor.uninstrument()
        assert telemetry.tracer is None
    finally:
        uninstrument()
    assert recorder.only().name == "load books"


@pytest.mark.parametrize("options", [{"sample": 2}, {"sample": True}, {"sample": "1"}, {"link_after": "soon"}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption):
        instrument(**options)
    assert telemetry.tracer is None


def test_a_share_of_what_begins_a_trace_is_traced(recorder: Recorder) -> None:
    made = maker(recorder, sample=0.25, rng=random.Random(1))
    assert 200 < sum(made.traces_run(None) for _ in range(1000)) < 300
    assert 200 < sum(made.traces_add() for _ in range(1000)) < 300
    assert all(maker(recorder).traces_run(None) for _ in range(10))


def test_opentelemetry_instrument_finds_the_instrumentor() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = project["entry-points"]["opentelemetry_instrumentor"]["stockyard"]
    assert named == f"{stockyard.tracing.__name__}:{StockyardInstrumentor.__name__}"


def test_without_opentelemetry_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stockyard.observe.tracing", None)
    with pytest.raises(ConfigError, match=r"pip install 'stockyard\[otel\]'"):
        instrument()
    assert telemetry.tracer is None


def test_nothing_is_imported_before_it_is_switched_on() -> None:
    program = (
        "import sys; from stockyard import App, Worker, configure_logging; import stockyard.tracing; "
        "sys.exit(any(name.partition('.')[0] == 'opentelemetry' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

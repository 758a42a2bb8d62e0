"""One trace from the code that adds a job, through its runs, to what they add."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace

from stockyard import Flow, Job, JsonFormatter, telemetry
from stockyard.errors import Delay
from stockyard.model.effect import Effect
from tests.support.spans import Recorder, attributes, ids, parent, recording
from tests.support.waiting import eventually
from tests.support.yard import Yard


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


async def test_a_trace_goes_through_a_worker_to_what_it_adds(yard: Yard, recorder: Recorder) -> None:
    orders, fills = yard.queue("orders"), yard.queue("fills")

    async def submit(job: Job[Any]) -> str:
        many = await fills.add_many([("fill",), ("fill",)])
        return (await fills.add("fill")).id if len(many) == 2 else ""

    await yard.work(submit, "orders")
    await yard.work(lambda job: None, "fills")
    with recorder.provider.get_tracer("test").start_as_current_span("request") as request:
        job = await orders.add("submit")
    await job.wait_for_result("10s")
    await eventually(lambda: len(recorder.spans("process fills")) == 3)
    added, process = recorder.only("add orders"), recorder.only("process orders")
    assert parent(added) == request.get_span_context().span_id
    assert parent(process) == ids(added)[1]
    adds = recorder.spans("add fills")
    assert [parent(each) for each in adds] == [ids(process)[1]] * 2
    fillings = recorder.spans("process fills")
    assert {parent(each) for each in fillings} == {ids(each)[1] for each in adds}
    assert {ids(each)[0] for each in (added, process, *adds, *fillings)} == {request.get_span_context().trace_id}
    # The calls to the server are traces of their own, which link to the runs.
    await eventually(
        lambda: (
            {link.context.span_id for each in recorder.spans() for link in each.links}
            == {ids(each)[1] for each in (process, *fillings)}
        )
    )


async def test_a_retry_is_part_of_the_same_trace(yard: Yard, recorder: Recorder) -> None:
    queue = yard.queue()

    async def fail_first(job: Job[Any]) -> None:
        if job.attempt == 1:
            raise ValueError("no margin")

    await yard.work(fail_first)
    job = await queue.add("submit", attempts=2)
    await job.wait_for_result("10s")
    await eventually(lambda: len(recorder.spans("process q")) == 2)
    added, runs = recorder.only("add q"), recorder.spans("process q")
    assert [parent(each) for each in runs] == [ids(added)[1]] * 2
    assert [attributes(each)["stockyard.outcome"] for each in runs] == ["retried", "completed"]
    assert [attributes(each)["bullmq.job.attempts.made"] for each in runs] == [1, 2]
    assert attributes(added)["messaging.message.id"] == job.id


async def test_threads_and_plain_functions_are_part_of_the_run(yard: Yard, recorder: Recorder) -> None:
    queue, fills = yard.queue(), yard.queue("fills")

    def submit(job: Job[Any]) -> int:
        fills.sync.add("fill")
        return trace.get_current_span().get_span_context().span_id

    await yard.work(submit)
    span_id = await (await queue.add("submit")).wait_for_result("10s")
    await eventually(lambda: recorder.spans("process q"))
    assert span_id == ids(recorder.only("process q"))[1] == parent(recorder.only("add fills"))


async def test_a_flow_is_one_trace(yard: Yard, recorder: Recorder) -> None:
    yard.queue("p")
    yard.queue("c")
    tree = await yard.app.flows.add(Flow("gather", "p", children=[Flow("fetch", "c"), Flow("fetch", "c")]))
    await yard.work(lambda job: None, "p")
    await yard.work(lambda job: None, "c")
    await tree.job.wait_for_result("10s")
    await eventually(lambda: recorder.spans("process p"))
    runs = [*recorder.spans("process p"), *recorder.spans("process c")]
    assert [parent(each) for each in runs] == [ids(recorder.only("add p"))[1]] * 3


async def test_jobs_of_shards_carry_it(yard: Yard, recorder: Recorder) -> None:
    queue = yard.queue("wide", shards=2)
    one = await queue.add("x", key="A")
    many = await queue.add_many([("x", {}, {"key": key}) for key in ("A", "B", "C")])
    single, batch = recorder.spans("add wide")
    for job, span in ((one, single), *((each, batch) for each in many)):
        assert f"{ids(span)[1]:016x}" in (job.options.telemetry or "")


async def test_what_a_producer_says_itself_stays(yard: Yard, recorder: Recorder) -> None:
    queue = yard.queue()
    own = await queue.add("x", telemetry="mine")
    omitted = await queue.add("x", omit_context=True)
    assert (own.options.telemetry, omitted.options.telemetry) == ("mine", None)
    await yard.work(lambda job: None)
    await eventually(lambda: len(recorder.spans("process q")) == 2)
    assert [parent(each) for each in recorder.spans("process q")] == [None, None]


async def test_an_effect_says_what_became_of_it(yard: Yard, recorder: Recorder) -> None:
    queue = yard.queue()

    async def submit(job: Job[Any]) -> None:
        async def place(effect: Effect) -> str:
            return "filled"

        await job.effect("o-1", max_duration="5s").run(place)
        async with job.effect("o-2", max_duration="5s") as effect:
            effect.failed("no margin")

    await yard.work(submit)
    await (await queue.add("submit")).wait_for_result("10s")
    await eventually(lambda: recorder.spans("process q"))
    run = recorder.only("process q")
    for key, outcome in (("o-1", "committed"), ("o-2", "failed")):
        effect = recorder.only(f"effect {key}")
        assert (parent(effect), attributes(effect)["stockyard.outcome"]) == (ids(run)[1], outcome)


async def test_a_run_that_goes_elsewhere_is_no_error(yard: Yard, recorder: Recorder) -> None:
    queue = yard.queue()

    async def later(job: Job[Any]) -> None:
        if job.attempts_started == 1:
            raise Delay(0)

    await yard.work(later)
    await (await queue.add("x")).wait_for_result("10s")
    await eventually(lambda: len(recorder.spans("process q")) == 2)
    runs = recorder.spans("process q")
    assert [attributes(each)["stockyard.outcome"] for each in runs] == ["delayed", "completed"]
    assert [each.status.is_ok for each in runs] == [True, True]


async def test_log_lines_carry_the_ids(yard: Yard, recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    queue = yard.queue()
    lines: list[str] = []

    async def submit(job: Job[Any]) -> None:
        record = logging.LogRecord("desk", logging.INFO, "", 0, "sent", (), None)
        lines.append(JsonFormatter().format(record))
        raise ValueError("no margin")

    await yard.work(submit)
    await queue.add("submit", correlation_id="day-1")
    await eventually(lambda: any("no margin" in record.message for record in caplog.records))
    run = recorder.only("process q")
    for expected in (
        f'"trace_id":"{ids(run)[0]:032x}"',
        f'"span_id":"{ids(run)[1]:016x}"',
        '"correlation_id":"day-1"',
    ):
        assert expected in lines[0]
    # Written after the run, by the worker.
    (failed,) = [record for record in caplog.records if "no margin" in record.message]
    assert vars(failed)["trace_id"] == f"{ids(run)[0]:032x}"


async def test_a_process_that_makes_spans_goes_on_with_the_run(yard: Yard, recorder: Recorder) -> None:
    queue = yard.queue()
    await yard.work(carried_in_child, executor="process")
    # The first task of a child imports this module and makes spans from then on.
    first = await queue.add("x")
    await first.wait_for_result("25s")
    carrier = await (await queue.add("x")).wait_for_result("25s")
    await eventually(lambda: len(recorder.spans("process q")) == 2)
    assert f"{ids(recorder.spans('process q')[1])[1]:016x}" in carrier


def carried_in_child(job: Job[Any]) -> str | None:
    """Return the context that a child process runs in."""
    from stockyard.tracing import instrument

    if telemetry.tracer is None:
        instrument()
    assert telemetry.tracer is not None
    return telemetry.tracer.carrier()


async def test_without_a_tracer_jobs_carry_nothing(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x")
    assert (job.options, telemetry.tracer) == (queue.spec.defaults, None)

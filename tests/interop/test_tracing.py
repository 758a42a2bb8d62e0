"""One trace from Node through us and back: BullMQ's own telemetry there, OpenTelemetry here."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stockyard import App, Flow, Job
from tests.interop.conftest import Work
from tests.support.node import NodePeer
from tests.support.spans import Recorder, attributes, ids, parent, recording
from tests.support.waiting import eventually

PRODUCER, CONSUMER = 3, 4


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


async def spans_of(read: Callable[..., Any], kind: int) -> list[dict[str, Any]]:
    return [span for span in await read("spans") if span["kind"] == kind]


async def test_a_trace_from_node_through_us_to_a_node_child_is_one(
    node: NodePeer, open_app: Callable[..., App], work: Work, recorder: Recorder
) -> None:
    app = open_app(orders={}, fills={})
    queue = await node.queue("orders", telemetry=True)

    async def submit(job: Job[Any]) -> str:
        return (await app.queue("fills").add("echo", {"order": job.id})).id

    async with work(submit, app=app, queue="orders"):
        worker = await node.worker("fills", telemetry=True)
        order = await queue.add("submit", {"symbol": "BTC"})
        ours = await app.queue("orders").get_job(order["id"])
        assert ours is not None
        fill = await app.queue("fills").get_job(await ours.wait_for_result("10s"))
        assert fill is not None
        assert await fill.wait_for_result("10s") == {"order": order["id"]}

    async def ended() -> bool:
        return bool(await spans_of(worker.read, CONSUMER))

    await eventually(ended)
    (sent,), (handled,) = await spans_of(queue.read, PRODUCER), await spans_of(worker.read, CONSUMER)
    run, added = recorder.only("process orders"), recorder.only("add fills")
    # Node's add → our run → our add → Node's run: each is the parent of the next, in one trace.
    assert f"{parent(run):016x}" == sent["span"]
    assert parent(added) == ids(run)[1]
    assert handled["parent"] == f"{ids(added)[1]:016x}"
    traces = {sent["trace"], handled["trace"], *(f"{ids(span)[0]:032x}" for span in (run, added))}
    assert traces == {sent["trace"]}
    # Both sides use BullMQ's names.
    for name in ("bullmq.queue.name", "bullmq.queue.operation", "bullmq.job.id", "bullmq.job.name"):
        assert name in attributes(run)
        assert name in handled["attributes"] or name == "bullmq.queue.name"
    assert (attributes(run)["bullmq.job.id"], attributes(run)["bullmq.job.name"]) == (order["id"], "submit")
    assert (handled["attributes"]["bullmq.job.id"], handled["name"]) == (fill.id, "process fills")


async def test_bulks_and_flows_of_both_carry_their_context(
    node: NodePeer, open_app: Callable[..., App], work: Work, recorder: Recorder
) -> None:
    app = open_app(q={}, p={})
    queue = await node.queue("q", telemetry=True)
    sent = await queue.addBulk([{"name": "a", "data": {}}, {"name": "b", "data": {}}])
    async with work(lambda job: None, app=app):
        await eventually(lambda: len(recorder.spans("process q")) == 2)
    (bulk,) = await spans_of(queue.read, PRODUCER)
    assert len(sent) == 2
    assert [f"{parent(run):016x}" for run in recorder.spans("process q")] == [bulk["span"]] * 2

    worker = await node.worker("q", telemetry=True)
    tree = await app.flows.add(Flow("gather", "p", children=[Flow("echo", "q"), Flow("echo", "q")]))
    many = await app.queue("q").add_many([("echo", {"n": 1}), ("echo", {"n": 2})])
    parents = await node.worker("p", telemetry=True)
    await tree.job.wait_for_result("10s")
    for job in many:
        await job.wait_for_result("10s")

    async def ended() -> bool:
        return len(await spans_of(worker.read, CONSUMER)) == 4 and len(await spans_of(parents.read, CONSUMER)) == 1

    await eventually(ended)
    by_flow, by_many = f"{ids(recorder.only('add p'))[1]:016x}", f"{ids(recorder.only('add q'))[1]:016x}"
    handled = await spans_of(worker.read, CONSUMER)
    assert sorted(span["parent"] for span in handled) == sorted([by_flow] * 2 + [by_many] * 2)
    assert [span["parent"] for span in await spans_of(parents.read, CONSUMER)] == [by_flow]


async def test_node_reads_our_context_as_it_writes_its_own(
    node: NodePeer, open_app: Callable[..., App], recorder: Recorder
) -> None:
    app = open_app(q={})
    queue = await node.queue("q", telemetry=True)
    ours = await app.queue("q").add("echo")
    theirs = await queue.add("echo", {})
    of_ours, of_theirs = await queue.getJob(ours.id), await app.queue("q").get_job(theirs["id"])
    assert of_theirs is not None
    written = [of_ours["opts"]["telemetry"]["metadata"], of_theirs.options.telemetry]
    assert [list(json.loads(text or "")) for text in written] == [["traceparent"]] * 2
    assert of_ours["opts"]["telemetry"]["metadata"] == ours.options.telemetry

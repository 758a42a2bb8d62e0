"""Readers of events: Node's are told of everything we do, ours of everything Node does, and both alike."""

import asyncio
from typing import Any

import msgspec
import pytest
import redis

from stockyard import App, Flow, Queue
from stockyard._store.jobs.event_decoding import name_of
from stockyard.events import CompletedEvent, CustomEvent, DelayedEvent, Event, EventGap, FailedEvent, ProgressEvent
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, names_of
from tests.support.waiting import eventually

EVERY_KIND = {
    "active",
    "added",
    "cleaned",
    "completed",
    "deduplicated",
    "delayed",
    "drained",
    "duplicated",
    "failed",
    "paused",
    "price",
    "progress",
    "removed",
    "resumed",
    "retries-exhausted",
    "stalled",
    "waiting",
    "waiting-children",
}
FIELDS = {
    "job_id": "jobId",
    "progress": "data",
    "return_value": "returnvalue",
    "failed_reason": "failedReason",
    "due": "delay",
    "deduplication_id": "deduplicationId",
    "deduplicated_job_id": "deduplicatedJobId",
    "attempts_made": "attemptsMade",
}


def as_node_tells(event: Event) -> list[Any]:
    """An event of ours as Node's QueueEvents tells it."""
    if isinstance(event, CustomEvent):
        return [event.name, event.fields]
    facts = msgspec.structs.asdict(event)
    del facts["id"], facts["queue"]
    if facts.get("prev", "") is None:
        del facts["prev"]
    for number in ("attempts_made", "count"):
        if number in facts:
            facts[number] = str(facts[number])
    return [name_of(event), {FIELDS.get(name, name): value for name, value in facts.items()}]


async def read_all(app: App, node_events: NodeObject, last: str) -> list[Event]:
    """Check that both readers saw the same, up to a custom event of that name; return it."""
    seen: list[Event] = []
    async with asyncio.timeout(60), app.events("q", after="0-0") as events:
        async for event in events:
            seen.append(event)
            if name_of(event) == last:
                break
    await eventually(lambda: _has(node_events, last))
    assert [as_node_tells(each) for each in seen] == await node_events.read("events")
    assert await node_events.read("errors") == []
    return seen


async def _has(events: NodeObject, name: str) -> bool:
    return name in await names_of(events)


def strand(raw: Any, prefix: str) -> None:
    """Leave the job that waits as a dead worker does, seen by one check already."""
    job_id = raw.lmove(f"{prefix}:q:wait", f"{prefix}:q:active", "RIGHT", "LEFT")
    raw.sadd(f"{prefix}:q:stalled", job_id)
    raw.delete(f"{prefix}:q:stalled-check")
    raw.hdel(f"{prefix}:q:meta", "swept")


async def test_node_is_told_of_every_kind_that_we_make(
    app: App, ours: Queue, work: Work, events: NodeObject, raw: "redis.Redis", prefix: str
) -> None:
    await ours.pause()
    await ours.resume()
    await ours.add("nothing", job_id="once")
    await ours.add("nothing", job_id="once")
    await ours.add("nothing", deduplication="alone")
    await ours.add("nothing", deduplication="alone")
    await (await ours.add("nothing", delay="1h")).remove()
    await app.flows.add(Flow("nothing", "q", children=[Flow("nothing", "q")]))
    await ours.add("report", {"progress": [50, {"p": [1]}, "half", True], "lines": []})
    await ours.add("echo", {"deep": [None, 1.5, "Ω/\\"]})
    await ours.add("fail", {"reason": 'no "margin"'}, attempts=2, backoff="20ms")
    async with work():
        await eventually(lambda: _has(events, "drained"))
    await ours.add("nothing")
    strand(raw, prefix)
    async with work():
        await eventually(lambda: _has(events, "stalled"))
        await eventually(lambda: _is_empty(ours))
    await ours.clean("completed")
    await ours.publish_event("price", {"symbol": "A", "bid": 1.5})

    seen = await read_all(app, events, "price")
    assert {name_of(each) for each in seen} == EVERY_KIND


async def test_we_are_told_of_every_kind_that_node_makes(
    node: NodePeer, queue: NodeObject, app: App, ours: Queue, events: NodeObject, raw: "redis.Redis", prefix: str
) -> None:
    await queue.pause()
    await queue.resume()
    await queue.add("nothing", {}, {"jobId": "once"})
    await queue.add("nothing", {}, {"jobId": "once"})
    await queue.add("nothing", {}, {"deduplication": {"id": "alone"}})
    await queue.add("nothing", {}, {"deduplication": {"id": "alone"}})
    late = await queue.add("nothing", {}, {"delay": 3_600_000})
    await queue.remove(late["id"])
    child = {"name": "nothing", "queueName": "q"}
    await (await node.flows()).add({"name": "nothing", "queueName": "q", "children": [child]})
    await queue.add("report", {"progress": [50, {"p": [1]}, "half", True], "lines": []})
    await queue.add("echo", {"deep": [None, 1.5, "Ω/\\"]})
    await queue.add("fail", {"reason": 'no "margin"'}, {"attempts": 2, "backoff": 20})
    worker = await node.worker("q")
    await eventually(lambda: _has(events, "drained"))
    await worker.close()
    await queue.add("nothing", {})
    strand(raw, prefix)
    await node.worker("q")
    await eventually(lambda: _has(events, "stalled"))
    await eventually(lambda: _is_empty(ours))
    await queue.clean(0, 100, "completed")
    producer = await node.make("QueueEventsProducer", "q")
    await producer.publishEvent({"eventName": "price", "symbol": "A", "bid": 1.5})

    seen = await read_all(app, events, "price")
    assert {name_of(each) for each in seen} == EVERY_KIND
    progress = [each.progress for each in seen if isinstance(each, ProgressEvent)]
    assert progress == [50, {"p": [1]}, "half", True]
    assert {"deep": [None, 1.5, "Ω/\\"]} in [
        each.return_value for each in seen if isinstance(each, CompletedEvent)
    ]
    (failed,) = [each for each in seen if isinstance(each, FailedEvent)]
    assert failed.failed_reason == 'no "margin"'
    delayed = [each.due - each.timestamp for each in seen if isinstance(each, DelayedEvent)]
    assert delayed == [pytest.approx(3_600_000, abs=2000), pytest.approx(20, abs=2000)]


async def _is_empty(queue: Queue) -> bool:
    return await queue.count("waiting", "active", "delayed", "waiting-children") == 0


@pytest.mark.parametrize("value", [None, "text", "", 0, 1.5, True, [], {"a": [None]}])
async def test_no_result_of_nodes_breaks_our_reader(node: NodePeer, app: App, ours: Queue, value: Any) -> None:
    await node.worker("q")
    async with asyncio.timeout(60), app.events("q", only=[CompletedEvent]) as events:
        added = await ours.add("echo", {} if value is None else value)
        nothing = await ours.add("nothing")
        seen = {event.job_id: event.return_value for event in [await anext(events) for _ in range(2)]}  # type: ignore[attr-defined]
    assert seen == {added.id: {} if value is None else value, nothing.id: None}


async def test_what_stops_nodes_listener_does_not_stop_ours(
    app: App, ours: Queue, events: NodeObject, raw: "redis.Redis", prefix: str
) -> None:
    async with asyncio.timeout(60), app.events("q") as reader:
        stream: Any = raw
        stream.xadd(f"{prefix}:q:events", {"event": "completed", "jobId": "1", "returnvalue": "not json"})
        await ours.add("nothing")
        assert [name_of(await anext(reader)) for _ in range(3)] == ["completed", "added", "waiting"]
    await eventually(lambda: _failed(events))
    assert await names_of(events) == []


async def _failed(events: NodeObject) -> bool:
    return bool(await events.read("errors"))


async def test_node_trims_the_stream_and_we_are_told_of_the_gap(
    queue: NodeObject, app: App, raw: "redis.Redis", prefix: str
) -> None:
    for _ in range(3):
        await queue.add("nothing", {})
    async with asyncio.timeout(60), app.events("q", after="0-0") as events:
        first = await anext(events)
    await queue.trimEvents(0)
    await queue.add("nothing", {})
    async with asyncio.timeout(60), app.events("q", after=first.id) as events:
        gap = await anext(events)
        assert isinstance(gap, EventGap)
        assert (gap.id, name_of(await anext(events))) == (first.id, "added")


async def test_each_side_lists_the_other_s_readers(
    node: NodePeer, queue: NodeObject, app: App, raw: "redis.Redis"
) -> None:
    await node.events("q")
    async with app.events("q"):
        listed = await queue.getQueueEvents()
    assert len(listed) == 2
    assert len({each["rawname"] for each in listed}) == 1


async def test_a_result_of_nodes_is_awaited_whatever_befalls_the_stream(
    node: NodePeer, ours: Queue, raw: "redis.Redis", prefix: str
) -> None:
    await node.worker("q")
    job = await ours.add("slow", {"ms": 300})
    waiting = asyncio.create_task(job.wait_for_result(25))
    await eventually(lambda: _is_active(ours))
    raw.delete(f"{prefix}:q:events")
    assert await waiting is None


async def _is_active(queue: Queue) -> bool:
    return await queue.count("active") == 1

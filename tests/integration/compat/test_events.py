"""``QueueEvents`` and ``QueueEventsProducer`` of the port's interface, on a real server."""

import asyncio
from typing import Any

import pytest
import redis

from stockyard.compat.bullmq import Job, Queue, QueueEvents, QueueEventsProducer
from tests.integration.compat.conftest import MakeWorker
from tests.support.waiting import eventually


async def test_the_life_of_a_job(queue: Queue, opts: dict[str, Any], work: MakeWorker) -> None:
    events = QueueEvents("q", {**opts, "lastEventId": "0"})
    seen: list[tuple[str, Any]] = []
    for name in ("added", "progress", "completed", "completed:2", "failed"):
        events.on(name, lambda args, event_id, name=name: seen.append((name, args)))
    drained: list[str] = []
    events.on("drained", drained.append)

    async def process(job: Job, token: str) -> dict[str, bool]:
        await job.updateProgress({"done": 50})
        if job.name == "bad":
            raise RuntimeError("no luck")
        return {"ok": True}

    work(process)
    await queue.add("bad", {})
    await queue.add("good", {})
    await eventually(lambda: len(seen) == 7 and drained)
    assert seen[0] == ("added", {"jobId": "1", "name": "bad"})
    assert ("progress", {"jobId": "1", "data": {"done": 50}}) in seen
    assert ("failed", {"jobId": "1", "failedReason": "no luck", "prev": "active"}) in seen
    done = {"jobId": "2", "returnvalue": {"ok": True}, "prev": "active"}
    assert seen[-2:] == [("completed", done), ("completed:2", done)]
    assert "-" in drained[0]
    await events.close()


async def test_events_of_a_program(opts: dict[str, Any]) -> None:
    events, producer = QueueEvents("q", {**opts, "lastEventId": "0"}), QueueEventsProducer("q", opts)
    received: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    events.on("custom-thing", lambda args, event_id: received.set_result(args))
    await producer.publishEvent({"eventName": "custom-thing", "foo": "bar", "n": 7})
    assert await received == {"foo": "bar", "n": "7"}
    with pytest.raises(ValueError, match="eventName"):
        await producer.publishEvent({"foo": "bar"})
    await producer.close()
    await events.close()


async def test_it_begins_where_it_is_asked_to(queue: Queue, opts: dict[str, Any]) -> None:
    first, second = await queue.add("a", {}), await queue.add("b", {})
    positions: dict[str, str] = {}
    events = QueueEvents("q", {**opts, "lastEventId": "0", "autorun": False})
    events.on("added", lambda args, event_id: positions.setdefault(args["jobId"], event_id))
    running = asyncio.ensure_future(events.run())
    await eventually(lambda: len(positions) == 2)
    with pytest.raises(RuntimeError, match="already running"):
        await events.run()
    later: list[str] = []
    behind = QueueEvents("q", {**opts, "lastEventId": positions[str(first.id)]})
    behind.on("added", lambda args, event_id: later.append(args["jobId"]))
    await eventually(lambda: later == [second.id])
    for each in (events, behind):
        await each.close()
        await each.close()
        assert each.closed
    await running


async def test_by_default_it_begins_now(queue: Queue, opts: dict[str, Any]) -> None:
    await queue.add("before", {})
    events = QueueEvents("q", opts)
    names: list[str] = []
    events.on("added", lambda args, event_id: names.append(args["name"]))
    await eventually(lambda: events.running)

    async def heard() -> bool:
        await queue.add("after", {})
        return bool(names)

    await eventually(heard)
    assert set(names) == {"after"}
    await events.close()


async def test_what_is_missing_is_an_event(queue: Queue, opts: dict[str, Any], raw: "redis.Redis") -> None:
    await queue.addBulk([{"name": "a", "data": {}} for _ in range(3)])
    entries: Any = raw.xrange(queue.toKey("events"))
    position = entries[0][0]
    raw.xtrim(queue.toKey("events"), maxlen=1, approximate=False)
    events = QueueEvents("q", {**opts, "lastEventId": position})
    gaps: list[Any] = []
    events.on("gap", lambda args, event_id: gaps.append(args))
    await eventually(lambda: len(gaps) == 1)
    assert gaps[0]["after"] == position
    await events.close()


async def test_a_listener_that_raises_does_not_end_it(queue: Queue, opts: dict[str, Any]) -> None:
    events = QueueEvents("q", {**opts, "lastEventId": "0"})
    seen: list[str] = []

    def raises(args: Any, event_id: str) -> None:
        seen.append(args["jobId"])
        raise RuntimeError("of a listener")

    events.on("added", raises)
    await queue.addBulk([{"name": "a", "data": {}}, {"name": "b", "data": {}}])
    await eventually(lambda: len(seen) == 2)
    events.off("added", raises)
    with pytest.raises(ValueError, match="not in list"):
        events.off("added", raises)
    await events.close()


async def test_a_server_that_is_not_there_is_an_error() -> None:
    events = QueueEvents("q", {"connection": {"host": "127.0.0.1", "port": 1}})
    errors: list[Exception] = []
    events.on("error", errors.append)
    await eventually(lambda: len(errors) == 1)
    await events.close()

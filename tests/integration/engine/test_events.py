"""Reading a queue's events, from any place on and through anything that happens to the stream or the server."""

import asyncio
from typing import Any

import pytest
import redis

from stockyard import InvalidOption, Job, ServerRefused, UnknownQueue
from stockyard.events import (
    ActiveEvent,
    AddedEvent,
    CompletedEvent,
    CustomEvent,
    DelayedEvent,
    DrainedEvent,
    Event,
    FailedEvent,
    WaitingEvent,
)
from tests.support.event_stream import Stream, take, told
from tests.support.waiting import eventually
from tests.support.yard import Yard


@pytest.fixture
def stream(raw: "redis.Redis", prefix: str) -> Stream:
    return Stream(raw, prefix)


async def test_the_life_of_a_job_is_told_in_order(yard: Yard) -> None:
    queue = yard.queue()

    async def handle(job: Job[Any]) -> Any:
        await job.update_progress({"half": True})
        return ["done", job.data]

    async with yard.app.events("q") as events:
        await yard.work(handle)
        job = await queue.add("x", 1)
        added, waiting, active, progress, completed, drained = await take(events, 6)
    assert (added.job_id, added.name, added.queue) == (job.id, "x", "q")
    assert [type(each) for each in (added, waiting, active, drained)] == [
        AddedEvent,
        WaitingEvent,
        ActiveEvent,
        DrainedEvent,
    ]
    assert (waiting.prev, active.prev, progress.progress) == (None, "waiting", {"half": True})
    assert completed == CompletedEvent(
        id=completed.id, queue="q", job_id="1", return_value=["done", 1], prev="active"
    )
    assert added.timestamp == pytest.approx(job.timestamp, abs=2000)


async def test_failures_and_delays_are_told(yard: Yard) -> None:
    queue = yard.queue()

    async def handle(job: Job[Any]) -> None:
        raise ValueError("too dear")

    async with yard.app.events("q", only=[DelayedEvent, FailedEvent]) as events:
        await queue.add("x", attempts=2, backoff="20ms")
        await yard.work(handle)
        delayed, failed = await take(events, 2)
    assert delayed.due - delayed.timestamp == pytest.approx(20, abs=15)
    assert failed == FailedEvent(
        id=failed.id, queue="q", job_id="1", failed_reason="ValueError: too dear", prev="active"
    )


async def test_it_begins_now_or_at_the_beginning_or_behind_an_event(yard: Yard, stream: Stream) -> None:
    yard.queue()
    stream.add("a", "b", "c")
    async with yard.app.events("q") as now, yard.app.events("q", after="0-0") as everything:
        stream.add("d")
        assert told(await take(now, 1)) == ["d"]
        first, *rest = await take(everything, 4)
        assert told([first, *rest]) == ["a", "b", "c", "d"]
    async with yard.app.events("q", after=first.id) as resumed:
        assert told(await take(resumed, 3)) == ["b", "c", "d"]


async def test_what_led_to_now_is_read_without_moving(yard: Yard, stream: Stream) -> None:
    yard.queue()
    stream.add(*"abcd")
    async with yard.app.events("q") as events:
        assert told(await events.earlier(2)) == ["c", "d"]
        stream.add(*"efg")
        assert told(await events.earlier(9)) == ["a", "b", "c", "d"]
        assert told(await take(events, 1)) == ["e"]
        assert told(await events.earlier(2)) == ["d", "e"]
        assert told(await take(events, 2)) == ["f", "g"]
    async with yard.app.events("q", only=[AddedEvent]) as added:
        assert await added.earlier(9) == []
        with pytest.raises(InvalidOption, match="count must be"):
            await added.earlier(0)


async def test_the_position_is_fixed_on_entering(yard: Yard, stream: Stream) -> None:
    yard.queue()
    stream.add("before")
    async with yard.app.events("q") as events:
        stream.add("after")
        assert told(await take(events, 1)) == ["after"]


async def test_iterating_may_be_broken_off_and_gone_on_with(yard: Yard, stream: Stream) -> None:
    yard.queue()
    async with yard.app.events("q") as events:
        stream.add("a", "b", "c")
        async for event in events:
            assert told([event]) == ["a"]
            break
        assert told(await take(events, 2)) == ["b", "c"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(events)
        stream.add("d")
        assert told(await take(events, 1)) == ["d"]


async def test_what_a_peer_wrote_wrong_stops_nothing(yard: Yard, raw: "redis.Redis", stream: Stream) -> None:
    yard.queue()
    async with yard.app.events("q") as events:
        raw.xadd(stream.key, {"event": "completed", "jobId": "1", "returnvalue": "{never json"})
        raw.xadd(stream.key, {"event": "progress", "data": "1"})
        raw.xadd(stream.key, {"event": b"\xff\xfe", "jobId": b"\xff"})
        raw.xadd(stream.key, {"no": "event"})
        first, *rest = await take(events, 4)
    assert first.return_value == "{never json"
    assert told(rest) == ["progress", "\ufffd\ufffd", ""]


async def test_only_the_kinds_and_jobs_that_were_asked_for(yard: Yard, stream: Stream) -> None:
    queue = yard.queue()
    async with (
        yard.app.events("q", only=[CustomEvent, AddedEvent]) as kinds,
        yard.app.events("q", job_ids={"2"}) as job,
        yard.app.events("q", only=(WaitingEvent,), job_ids=["3"]) as both,
    ):
        await queue.add_many([("a",), ("b",), ("c",)])
        stream.add("tick")
        assert [getattr(each, "job_id", each) for each in (await take(kinds, 4))[:3]] == ["1", "2", "3"]
        assert [each.job_id for each in await take(job, 2)] == ["2", "2"]
        assert [(type(each), each.job_id) for each in await take(both, 1)] == [(WaitingEvent, "3")]


@pytest.mark.parametrize("after", ["", "$", "now", "1-2-3", 5, "9" * 20])
async def test_a_place_that_is_none_is_refused(yard: Yard, after: Any) -> None:
    yard.queue()
    with pytest.raises(InvalidOption, match="after must be the id of an event"):
        yard.app.events("q", after)


async def test_filters_that_are_none_are_refused(yard: Yard) -> None:
    yard.queue()
    with pytest.raises(InvalidOption, match=r"only must be types of stockyard\.events"):
        yard.app.events("q", only=["completed"])  # type: ignore[list-item]
    with pytest.raises(InvalidOption, match="job_ids must be a list of ids"):
        yard.app.events("q", job_ids="12")
    with pytest.raises(UnknownQueue):
        yard.app.events("qq")


async def test_a_key_that_is_no_stream_is_refused_on_entering(
    yard: Yard, raw: "redis.Redis", stream: Stream
) -> None:
    yard.queue()
    raw.set(stream.key, "x")
    with pytest.raises(ServerRefused, match="WRONGTYPE"):
        async with yard.app.events("q"):
            pass


async def test_the_connection_is_named_as_nodes_and_goes_with_the_reader(
    yard: Yard, raw: "redis.Redis", prefix: str
) -> None:
    yard.queue("eu:orders")

    def names() -> list[str]:
        return [client["name"] for client in raw.client_list() if client["name"].startswith(prefix)]

    async with yard.app.events("eu:orders"):
        assert names() == [f"{prefix}:eu:b3JkZXJz:qe"]
    await eventually(lambda: names() == [])


async def test_closing_ends_the_iteration(yard: Yard, stream: Stream) -> None:
    yard.queue()
    events = yard.app.events("q")

    async def collect() -> list[Event]:
        return [event async for event in events]

    collecting = asyncio.create_task(collect())
    await eventually(lambda: events.loop is not None)
    await eventually(lambda: stream.readers() == 1)
    await events.aclose()
    await events.aclose()
    assert await collecting == []
    assert events.loop is None
    assert [event async for event in events] == []


async def test_closing_the_app_ends_the_iteration(redis_url: str, prefix: str) -> None:
    async with Yard(redis_url, prefix) as yard:
        yard.queue()
        events = yard.app.events("q")
        waiting = asyncio.create_task(anext(events, None))
        await eventually(lambda: events.loop is not None)
    assert await waiting is None


def test_code_without_a_loop_reads_them_too(redis_url: str, prefix: str, stream: Stream) -> None:
    yard = Yard(redis_url, prefix)
    yard.queue()
    with yard.app.events("q").sync as events:
        stream.add("a", "b", "c")
        seen = []
        for event in events:
            seen += told([event])
            if len(seen) == 2:
                break
        assert told([next(iter(events))]) == ["c"]
    assert seen == ["a", "b"]
    yard.app.close()

"""Gaps: what a stream lost is told, exactly, and nothing is told that was not lost."""

import asyncio
from typing import Any

import pytest
import redis

from stockyard.events import EventGap, JobEvent
from tests.support.event_stream import Stream, take, told
from tests.support.waiting import eventually, results_awaited
from tests.support.yard import Yard


@pytest.fixture
def stream(raw: "redis.Redis", prefix: str) -> Stream:
    return Stream(raw, prefix)


async def test_a_reader_that_was_overtaken(yard: Yard, stream: Stream) -> None:
    yard.queue()
    async with yard.app.events("q") as events:
        (last,) = stream.add("a")
        assert told(await take(events, 1)) == ["a"]
        ids = stream.add("b", "c", "d")
        stream.trim(2)
        assert told(await take(events, 3)) == [EventGap(id=last, queue="q", first_id=ids[1]), "c", "d"]


async def test_a_stream_cut_right_behind_what_was_read(yard: Yard, stream: Stream) -> None:
    yard.queue()
    async with yard.app.events("q") as events:
        stream.add("a", "b")
        await take(events, 2)
        stream.trim(0)
        stream.add("c", "d")
        stream.trim(2)
        assert told(await take(events, 2)) == ["c", "d"]


async def test_a_reader_of_many_that_is_overtaken_again_and_again(yard: Yard, stream: Stream) -> None:
    yard.queue()
    async with yard.app.events("q", after="0-0") as events:
        seen: list[Any] = []
        for part in range(4):
            stream.add(*(str(part * 1000 + n) for n in range(1000)))
            stream.trim(700)
            seen += told(await take(events, 701))
    assert [each for each in seen if not isinstance(each, EventGap)] == [
        str(part * 1000 + n) for part in range(4) for n in range(300, 1000)
    ]


async def test_resuming_behind_what_was_cut(yard: Yard, stream: Stream) -> None:
    yard.queue()
    ids = stream.add(*"abcde")
    stream.trim(2)
    async with yard.app.events("q", after=ids[1]) as events:
        assert told(await take(events, 3)) == [EventGap(id=ids[1], queue="q", first_id=ids[3]), "d", "e"]
    async with yard.app.events("q", after=ids[3]) as events:
        assert told(await take(events, 1)) == ["e"]
    async with yard.app.events("q", after="0-0") as events:
        assert told(await take(events, 2)) == ["d", "e"]


async def test_resuming_at_the_end_of_an_emptied_stream(yard: Yard, stream: Stream) -> None:
    yard.queue()
    ids = stream.add(*"ab")
    stream.trim(0)
    async with yard.app.events("q", after=ids[1]) as events:
        reading = asyncio.create_task(take(events, 1))
        await eventually(lambda: stream.readers() == 1)
        stream.add("c")
        assert told(await reading) == ["c"]


async def test_a_stream_deleted_and_made_anew(yard: Yard, raw: "redis.Redis", stream: Stream) -> None:
    yard.queue()
    async with yard.app.events("q") as events:
        for at in range(1, 4):
            raw.xadd(stream.key, {"event": "a"}, id=f"{at}-0")
        await take(events, 3)
        stream.delete()
        raw.xadd(stream.key, {"event": "b"}, id="9-0")
        assert told(await take(events, 2)) == [EventGap(id="3-0", queue="q", first_id="9-0"), "b"]


async def test_a_stream_made_anew_with_lower_ids(
    yard: Yard, raw: "redis.Redis", stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a fail-over to a server whose clock is behind: nothing wakes the reader, it looks by itself."""
    monkeypatch.setattr("stockyard.events.queue_events._LOOK_AGAIN", 0.05)
    yard.queue()
    (high,) = stream.add("a")
    stream.delete()
    raw.xadd(stream.key, {"event": "b"}, id="5-1")
    async with yard.app.events("q", after=high) as events:
        assert told(await take(events, 2)) == [EventGap(id=high, queue="q", first_id="5-1"), "b"]


async def test_a_stream_whose_end_was_cut_away_is_told_without_an_event(
    yard: Yard, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stockyard.events.queue_events._LOOK_AGAIN", 0.05)
    yard.queue()
    async with yard.app.events("q") as events:
        (last,) = stream.add("a")
        await take(events, 1)
        stream.add("b")
        stream.trim(0)
        assert await take(events, 1) == [EventGap(id=last, queue="q", first_id=None)]
        stream.add("c")
        assert told(await take(events, 1)) == ["c"]


async def test_a_gap_is_told_whatever_is_filtered(yard: Yard, stream: Stream) -> None:
    yard.queue()
    async with yard.app.events("q", only=[JobEvent], job_ids=["1"]) as events:
        stream.add(*"ab")
        stream.trim(1)
        assert [type(each) for each in await take(events, 1)] == [EventGap]


async def test_a_result_in_the_gap_is_found_at_once(
    yard: Yard, raw: "redis.Redis", prefix: str, stream: Stream
) -> None:
    queue = yard.queue()
    job = await queue.add("x")
    waiting = asyncio.create_task(job.wait_for_result(4))
    await results_awaited(waiting)
    pipe = raw.pipeline()
    pipe.lrem(f"{prefix}:q:wait", 1, job.id)
    pipe.hset(f"{prefix}:q:{job.id}", "returnvalue", "8")
    pipe.zadd(f"{prefix}:q:completed", {job.id: 1})
    pipe.xadd(stream.key, {"event": "completed", "jobId": job.id, "returnvalue": "8"})
    pipe.xadd(stream.key, {"event": "drained"}, maxlen=1, approximate=False)
    pipe.execute()
    assert await waiting == 8

"""Queues in which only so many jobs may wait: adds are refused, drop the oldest, or wait for room."""

import asyncio
import threading
from typing import Any

import pytest

from stockyard import Flow, InvalidOption
from stockyard.errors import QueueFull
from stockyard.events import DroppedEvent
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def test_an_add_to_a_full_queue_is_refused(yard: Yard) -> None:
    queue = yard.queue(max_length=3)
    await queue.add("x", delay="1h")
    await queue.add("x", priority=2)
    await queue.add("x")
    with pytest.raises(QueueFull, match="queue 'q' is full: 3 jobs wait, which is its max_length") as caught:
        await queue.add("x")
    assert caught.value.queue == "q"
    (health,) = await yard.app.health("q")
    assert (health.waiting + health.delayed, health.refused_total) == (3, 1)


async def test_of_many_those_are_added_that_find_room(yard: Yard) -> None:
    queue = yard.queue(max_length=60)
    with pytest.raises(QueueFull):
        await queue.add_many([("x", number) for number in range(100)])
    assert [job.data for job in await queue.get_jobs("waiting", size=100, newest_first=False)] == list(range(60))


async def test_the_oldest_make_room(yard: Yard) -> None:
    queue = yard.queue(max_length=3, on_full="drop_oldest")
    jobs = await queue.add_many([("x", number) for number in range(5)])
    assert [job.data for job in await queue.get_jobs("waiting", newest_first=False)] == [2, 3, 4]
    (health,) = await yard.app.health("q")
    assert health.dropped_total == 2
    async with yard.app.events("q", after="0-0", only=[DroppedEvent]) as events:
        event = await anext(aiter(events))
    assert isinstance(event, DroppedEvent)
    assert event.job_id == jobs[0].id


async def test_an_add_waits_for_room(yard: Yard) -> None:
    queue = yard.queue(max_length=5, on_full="block", concurrency=1)
    adds = [asyncio.create_task(queue.add("x", number)) for number in range(40)]
    await eventually(lambda: sum(add.done() for add in adds) == 5)
    ran: list[int] = []

    async def handle(job: Any) -> None:
        ran.append(job.data)

    await yard.work(handle)
    await asyncio.gather(*adds)
    await eventually(lambda: len(ran) == 40)
    assert ran == sorted(ran)
    more = await queue.add_many([("x", number) for number in range(100, 130)])
    assert len(more) == 30
    await eventually(lambda: len(ran) == 70)
    assert ran == sorted(ran)


async def test_it_does_not_wait_for_ever(yard: Yard) -> None:
    queue = yard.queue(max_length=1, on_full="block", full_timeout="50ms")
    await queue.add("x")
    answers = await asyncio.gather(*(queue.add("x") for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [QueueFull] * 3


def test_a_thread_waits_for_room_without_a_loop(redis_url: str, prefix: str) -> None:
    yard = Yard(redis_url, prefix)
    queue = yard.queue(max_length=1, on_full="block").sync
    first = queue.add("x", 1)
    added: list[Any] = []
    thread = threading.Thread(target=lambda: added.append(queue.add("x", 2)))
    thread.start()
    first.sync.remove()
    thread.join(25)
    assert [job.data for job in added] == [2]
    yard.app.sync.close()


async def test_what_would_not_keep_to_it_is_refused_in_a_sentence(yard: Yard) -> None:
    queue = yard.queue(max_length=5)
    parent = await yard.queue("other").add("x", delay="1h")
    with pytest.raises(InvalidOption, match="has a max_length, and deduplication is not supported there"):
        await queue.add("x", deduplication="BTC")
    with pytest.raises(InvalidOption, match="has a max_length, and parent is not supported there"):
        await queue.add("x", parent=parent)
    with pytest.raises(InvalidOption, match="a flow does not keep to the max_length of queue 'q'"):
        await yard.app.flows.add(Flow("x", "q"))
    with pytest.raises(InvalidOption, match="on_full and no max_length"):
        yard.queue("a", on_full="reject")
    with pytest.raises(InvalidOption, match="full_timeout, which is for on_full='block'"):
        yard.queue("b", max_length=2, full_timeout="1s")

"""A link that carries less in a call's timeout than the jobs are large: all run, none stalls."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stockyard import Job
from stockyard._store.scripts import load
from stockyard.events import CompletedEvent
from stockyard.testing.proxy import Proxy
from tests.support.servers import OwnServer
from tests.support.yard import Yard

FINISH = load("finishing.finish").sha.encode()
TIMEOUT = 1.0
LARGE = "y" * 300_000
COUNT = 12


@pytest.fixture
async def near(server: OwnServer) -> AsyncIterator[Yard]:
    """Beside the server: what happens is seen by it."""
    async with Yard(server.url, "t") as yard:
        yield yard


@pytest.fixture
async def far(proxy: Proxy) -> AsyncIterator[Yard]:
    """Behind a link of 2 MB/s, whose calls end after a second of silence: half of the jobs' bytes."""
    proxy.rate = 2_000_000
    async with Yard(proxy.url, "t", call_timeout=TIMEOUT) as yard:
        yield yard
        proxy.rate = 0


async def test_large_jobs_run_once_each(near: Yard, far: Yard) -> None:
    added = await near.queue(lock="800ms").add_many([("x", LARGE)] * COUNT)
    far.queue(lock="800ms")
    ran: list[str] = []

    async def note(job: Job[Any]) -> None:
        ran.append(job.id)

    await far.work(note, concurrency=COUNT)
    await asyncio.gather(*(job.wait_for_result(60) for job in added))
    assert sorted(ran) == sorted(job.id for job in added)
    for job in added:
        job = await job.refresh()
        assert (job.attempts_started, job.stalled_count) == (1, 0)


async def test_large_results_are_written(near: Yard, far: Yard) -> None:
    added = await near.queue(lock="800ms").add_many([("x", 1)] * COUNT)
    far.queue(lock="800ms")
    together = asyncio.Barrier(COUNT)

    async def answer(job: Job[Any]) -> str:
        await together.wait()
        return LARGE

    await far.work(answer, concurrency=COUNT)
    assert await asyncio.gather(*(job.wait_for_result(60) for job in added)) == [LARGE] * COUNT


async def test_many_large_jobs_are_added(near: Yard, far: Yard) -> None:
    added = await far.queue().add_many([("x", LARGE)] * COUNT)
    assert [job.id for job in added] == [str(number + 1) for number in range(COUNT)]
    assert await near.queue().count() == COUNT


async def test_one_job_that_is_larger_than_a_call_carries_in_its_timeout(near: Yard, far: Yard) -> None:
    """The lease ends before the record has arrived, unless it is renewed on the way."""
    larger = "y" * 3_000_000
    await far.queue(lock="400ms").add("x", larger)
    near.queue(lock="400ms")

    async def size(job: Job[Any]) -> int:
        return len(job.data)

    await far.work(size)
    # Another worker looks for stalled jobs meanwhile, and would take them.
    await near.work(size, concurrency=1)
    (job,) = await near.queue().add_many([("x", larger)])
    assert await job.wait_for_result(60) == len(larger)
    for job_id in ("1", "2"):
        found = await near.queue().get_job(job_id)
        assert found is not None
        assert await found.wait_for_result(60) == len(larger)
        assert (found.attempts_started, found.stalled_count) == (1, 0)


async def test_events_with_large_results_are_read(near: Yard, far: Yard) -> None:
    async def answer(job: Job[Any]) -> str:
        return LARGE

    near.queue()
    far.queue()
    async with far.app.events("q", only=(CompletedEvent,)) as events:
        await near.work(answer, concurrency=COUNT)
        await near.queue().add_many([("x", 1)] * COUNT)
        for _ in range(COUNT):
            event = await asyncio.wait_for(anext(events), 60)
            assert isinstance(event, CompletedEvent)
            assert event.return_value == LARGE


async def test_large_entries_of_a_cache_are_read(near: Yard, far: Yard) -> None:
    for number in range(COUNT):
        await near.app.cache("c", ttl="1h").set(str(number), LARGE)
    cache = far.app.cache("c", ttl="1h")
    assert await cache.get_many([str(number) for number in range(COUNT)]) == {
        str(number): LARGE for number in range(COUNT)
    }


async def test_a_start_whose_record_never_arrived_counts_neither_as_a_stall_nor_as_a_start(
    near: Yard, proxy: Proxy
) -> None:
    """With ``max_stalled=0`` a single stall would fail it."""
    queue = near.queue(lock="200ms", max_stalled=0)

    async def size(job: Job[Any]) -> int:
        return len(job.data)

    job = await queue.add("x", LARGE)
    async with Yard(proxy.url, "t", call_timeout=TIMEOUT) as far:
        far.queue(lock="200ms", max_stalled=0)
        lost = proxy.lose_reply(lambda request: FINISH in request, "silence")
        await far.work(size, grace=0)
        await asyncio.wait_for(lost.wait(), 60)
        # As if its process were killed.
        await proxy.refuse()
        await near.work(size)
        assert await job.wait_for_result(25) == len(LARGE)
    job = await job.refresh()
    assert (job.attempts_started, job.stalled_count) == (1, 0)

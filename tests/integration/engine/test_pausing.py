"""One worker that is paused and resumed while others of its queue go on."""

import asyncio
from functools import partial
from typing import Any

import pytest

from stockyard import InvalidOption, Job
from tests.support.waiting import eventually
from tests.support.yard import Yard


class Gate:
    """A handler whose jobs run until it is opened."""

    def __init__(self) -> None:
        self.entered: list[Any] = []
        self.opened = asyncio.Event()

    async def __call__(self, job: Job[Any]) -> None:
        self.entered.append(job.data)
        await self.opened.wait()


@pytest.fixture(params=[1, 3], ids=["one queue", "shards"])
def shards(request: pytest.FixtureRequest) -> int:
    return int(request.param)


async def test_a_paused_worker_ends_what_it_runs_and_takes_no_more(yard: Yard, shards: int) -> None:
    queue, gate = yard.queue(shards=shards), Gate()
    worker = await yard.work(gate, concurrency=2, drain_delay=60)
    await queue.add_many([("x", number) for number in range(6)])
    await eventually(lambda: len(gate.entered) == 2)
    pausing = asyncio.create_task(worker.pause())
    await eventually(lambda: worker.is_paused)
    assert not pausing.done()
    gate.opened.set()
    await asyncio.wait_for(pausing, 25)
    assert (worker.running, await queue.count("completed"), len(gate.entered)) == (0, 2, 2)
    details = {check.detail for check in worker.health_checks() if check.name.endswith("taking")}
    assert details == {"paused"}
    assert all(check.ok for check in worker.health_checks())
    await queue.add("x", 6)
    worker.resume()
    assert not worker.is_paused
    await eventually(lambda: _has_completed(queue, 7))


async def test_a_worker_that_waits_for_jobs_takes_none_once_it_is_paused(yard: Yard, shards: int) -> None:
    queue, gate = yard.queue(shards=shards), Gate()
    gate.opened.set()
    worker = await yard.work(gate, drain_delay=60)
    await queue.add("x", 0)
    await eventually(lambda: _has_completed(queue, 1))
    await asyncio.wait_for(worker.pause(), 25)
    await queue.add_many([("x", number) for number in range(1, 4)])
    other = Gate()
    other.opened.set()
    await yard.work(other, drain_delay=60)
    await eventually(lambda: _has_completed(queue, 4))
    assert (gate.entered, sorted(other.entered)) == ([0], [1, 2, 3])


async def test_pausing_without_waiting_returns_at_once(yard: Yard) -> None:
    queue, gate = yard.queue(), Gate()
    worker = await yard.work(gate)
    await queue.add("x", 0)
    await eventually(lambda: gate.entered == [0])
    await worker.pause(wait=False)
    assert worker.is_paused
    assert worker.running == 1
    gate.opened.set()
    await eventually(lambda: _has_completed(queue, 1))


async def test_resuming_ends_a_pause_that_waits(yard: Yard) -> None:
    queue, gate = yard.queue(), Gate()
    worker = await yard.work(gate)
    await queue.add("x", 0)
    await eventually(lambda: gate.entered == [0])
    pausing = asyncio.create_task(worker.pause())
    await eventually(lambda: worker.is_paused)
    worker.resume()
    await asyncio.wait_for(pausing, 25)
    gate.opened.set()


async def test_a_worker_begins_paused_and_is_paused_again_and_again(yard: Yard) -> None:
    queue, gate = yard.queue(), Gate()
    gate.opened.set()
    worker = yard.app.worker("q", gate, drain_delay=60)
    await worker.pause()
    working = asyncio.create_task(worker.run())
    await worker.ready.wait()
    for number in range(5):
        await queue.add("x", number)
        assert gate.entered == list(range(number))
        worker.resume()
        await eventually(partial(_has_completed, queue, number + 1))
        await asyncio.wait_for(worker.pause(), 25)
    await worker.stop()
    await working


async def test_a_paused_worker_stops(yard: Yard, shards: int) -> None:
    queue, gate = yard.queue(shards=shards), Gate()
    worker = await yard.work(gate, grace=0)
    await queue.add("x", 0)
    await eventually(lambda: gate.entered == [0])
    pausing = asyncio.create_task(worker.pause())
    await eventually(lambda: worker.is_paused)
    await asyncio.wait_for(worker.stop(), 25)
    await asyncio.wait_for(pausing, 25)
    assert await queue.count("waiting") == 1


async def test_the_flag_is_checked(yard: Yard) -> None:
    yard.queue()
    with pytest.raises(InvalidOption, match="wait"):
        await yard.app.worker("q", Gate()).pause(wait=1)  # type: ignore[arg-type]


async def _has_completed(queue: Any, number: int) -> bool:
    return bool(await queue.count("completed") == number)

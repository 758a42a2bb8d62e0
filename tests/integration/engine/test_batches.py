"""Batches on a real server: one call for many jobs, each with its own end, lease, retry and events."""

import asyncio
import contextlib
from collections import Counter
from typing import Any

import pytest

from stockyard import HandlerError, Hooks, InvalidOption, Job, JobFailed, JobState, Router, Topology
from tests.support.waiting import eventually
from tests.support.yard import Yard


class Store:
    """A handler of batches that fails a payload once, or for good."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.seen: Counter[int] = Counter()

    async def __call__(self, jobs: list[Job[int]]) -> list[int | Exception]:
        self.sizes.append(len(jobs))
        self.seen.update(job.data for job in jobs)
        return [self._stored(job) for job in jobs]

    def _stored(self, job: Job[int]) -> int | Exception:
        if job.data % 10 == 7:
            return ValueError(f"{job.data} is refused")
        if job.data % 10 == 3 and job.attempts_made == 0:
            return ConnectionError("once")
        return 2 * job.data


def router(function: Any, **options: Any) -> Router:
    made = Router()
    made.add("tick", function, **options)
    return made


async def test_one_call_for_many_jobs_and_only_those_that_failed_run_again(yard: Yard) -> None:
    store = Store()
    queue = yard.queue(attempts=2)
    jobs = await queue.add_many([("tick", number) for number in range(100)])
    seen = Counter[str]()
    hooks = Hooks(
        completed=lambda job, result: seen.update(["completed"]),
        failed=lambda job, error: seen.update(["failed"]),
        retried=lambda job, error, delay: seen.update(["retried"]),
    )
    worker = await yard.work(router(store, batch=50, wait="200ms"), concurrency=100, hooks=hooks)
    for job in jobs:
        if job.data % 10 == 7:
            with pytest.raises(JobFailed, match=f"ValueError: {job.data} is refused"):
                await job.wait_for_result("25s")
        else:
            assert await job.wait_for_result("25s") == 2 * job.data
    assert store.seen == {number: 2 if number % 10 in (3, 7) else 1 for number in range(100)}
    # The server gives some of them in one call, the rest in others; far fewer than one call each.
    assert max(store.sizes) <= 50
    assert len(store.sizes) < 20
    counters = worker.metrics.of("tick")
    assert counters.batches == len(store.sizes)
    await eventually(lambda: (counters.completed, counters.failed, counters.retried) == (90, 10, 20))
    await eventually(lambda: seen == {"completed": 90, "failed": 10, "retried": 20})
    counts = await queue.counts()
    assert (counts[JobState.COMPLETED], counts[JobState.FAILED]) == (90, 10)


async def test_jobs_of_other_names_are_in_no_batch(yard: Yard) -> None:
    sizes: list[int] = []

    def store(prices: list[int]) -> None:
        sizes.append(len(prices))

    both = router(store, batch=4, wait="1h")
    single: list[int] = []
    both.add("single", lambda job: single.append(job.data))
    queue = yard.queue()
    await yard.work(both, concurrency=8)
    jobs = await queue.add_many([("tick" if number % 2 else "single", number) for number in range(8)])
    for job in jobs:
        await job.wait_for_result("25s")
    assert sizes == [4]
    assert sorted(single) == [0, 2, 4, 6]


@pytest.mark.parametrize("grace", [5, 0])
async def test_a_worker_that_stops_waits_for_no_more_and_hands_back_the_rest(yard: Yard, grace: float) -> None:
    entered = asyncio.Event()
    sizes: list[int] = []

    async def store(jobs: list[Job[int]]) -> None:
        sizes.append(len(jobs))
        entered.set()
        if not grace:
            await asyncio.Event().wait()

    queue = yard.queue(attempts=2)
    worker = await yard.work(router(store, batch=100, wait="1h" if grace else 0), concurrency=100)
    await queue.add_many([("tick", number) for number in range(3)])
    if grace:
        await eventually(lambda: worker.running == 3)
    else:
        await entered.wait()
    await worker.stop(grace=grace)
    counts = await queue.counts()
    if grace:
        assert sizes == [3]
        assert counts[JobState.COMPLETED] == 3
    else:
        assert counts[JobState.WAITING] == 3
        assert {job.attempts_made for job in await queue.get_jobs("waiting")} == {0}


async def test_a_cancelled_job_fails_and_the_others_of_its_batch_complete(yard: Yard) -> None:
    entered, free = asyncio.Event(), asyncio.Event()

    async def store(jobs: list[Job[int]]) -> None:
        entered.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(free.wait(), 20)

    queue = yard.queue(attempts=3)
    await yard.work(router(store, batch=3, wait="1h"), concurrency=3)
    first, second, third = await queue.add_many([("tick", number) for number in range(3)])
    await entered.wait()
    await second.cancel("not this one")
    with pytest.raises(JobFailed):
        await second.wait_for_result("20s")
    free.set()
    for job in (first, third):
        assert await job.wait_for_result("20s") is None


async def test_all_jobs_of_a_batch_keep_their_leases(yard: Yard) -> None:
    """A call that lasts several leases loses none of its jobs to the recovery of stalled ones."""
    starts = Counter[int]()
    renewed = asyncio.Event()

    async def store(jobs: list[Job[int]]) -> None:
        starts.update(job.data for job in jobs)
        await asyncio.wait_for(renewed.wait(), 20)

    queue = yard.queue(lock="400ms")
    worker = await yard.work(router(store, batch=20, wait="1h"), concurrency=20, stalled_interval="100ms")
    jobs = await queue.add_many([("tick", number) for number in range(20)])
    loop = asyncio.get_running_loop()
    began = loop.time()
    await eventually(lambda: loop.time() - began > 1.3)
    renewed.set()
    for job in jobs:
        await job.wait_for_result("20s")
    assert set(starts.values()) == {1}
    assert worker.metrics.stalled == 0


def test_a_queue_s_handlers_of_batches() -> None:
    topology = Topology("test")
    ticks = topology.queue("ticks", concurrency=500)

    @ticks.handler("tick", batch=500, wait="50ms")
    async def tick(jobs: list[Job[int]]) -> None: ...

    handler = ticks.router.get("tick")
    assert handler is not None
    assert (handler.batch, handler.wait_ms, handler.payload, handler.takes_payload) == (500, 50, int, False)
    orders = topology.queue("orders", delivery="at_most_once", concurrency=9)
    with pytest.raises(InvalidOption, match="effects, which a batch has none of"):
        orders.handler("submit", batch=9)
    backtests = topology.queue("backtests", executor="process", concurrency=9)
    with pytest.raises(HandlerError, match="a child process is given one job at a time"):
        backtests.handler("run", batch=9)(tick)


async def test_a_worker_with_fewer_places_than_a_batch_is_refused(yard: Yard) -> None:
    yard.queue(concurrency=2)
    with pytest.raises(InvalidOption, match="has batch=3, and the worker of queue 'q' runs 2 jobs at a time"):
        yard.app.worker("q", router(Store(), batch=3))

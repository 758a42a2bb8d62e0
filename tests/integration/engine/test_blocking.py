"""The same objects for code that has no loop, from any thread."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stockyard import App, Channel, InvalidOption, Job, JobFailed, JobState, ResultTimeout, Topology
from stockyard.app.runtime import Runtime
from stockyard.errors import BlockingCallRefused
from stockyard.events.results import Results
from tests.support.yard import Yard


async def double(job: Job[Any]) -> Any:
    if job.data == {}:
        raise ValueError("nothing to double")
    return job.data * 2


def shop() -> Topology:
    topology = Topology("shop")
    topology.queue("q")
    return topology


def test_a_program_without_a_loop_adds_reads_and_waits(redis_url: str, prefix: str) -> None:
    before = threading.enumerate()
    app = App(shop(), redis_url, prefix=prefix)
    queue = app.queue("q")
    job = queue.sync.add("x", {"n": 1}, priority=3)
    assert queue.sync.counts()[JobState.PRIORITIZED] == 1
    assert job.sync.state() == "prioritized"
    stored = queue.sync.get_job(job.id)
    assert stored is not None
    assert stored.data == {"n": 1}
    assert [each.id for each in queue.sync.add_many([("a",), ("b",)])] == ["2", "3"]
    with pytest.raises(InvalidOption, match="delay must not be negative"):
        queue.sync.add("x", delay=-1)
    with pytest.raises(ResultTimeout):
        job.sync.wait_for_result(0.05)
    (health,) = app.sync.health()
    assert health.waiting == 3
    app.close()
    app.close()
    # Closed is not broken: a later call opens again.
    assert queue.sync.add("y").id == "4"
    app.close()
    left = [thread for thread in threading.enumerate() if thread not in before]
    assert not [thread for thread in left if thread.name == "stockyard-portal"]


def test_the_blocking_view_closes_the_app_like_any_other_call(redis_url: str, prefix: str) -> None:
    # Apps of other tests in this process may have threads of their own.
    before = threading.enumerate()
    app = App(shop(), redis_url, prefix=prefix)
    assert app.queue("q").sync.add("x").id == "1"
    app.sync.aclose()
    app.sync.aclose()
    assert app.queue("q").sync.add("x").id == "2"
    app.sync.aclose()
    app.close()
    left = [thread for thread in threading.enumerate() if thread not in before]
    assert not [thread for thread in left if thread.name == "stockyard-portal"]


async def test_threads_beside_a_running_loop_use_the_same_queue(yard: Yard) -> None:
    queue = yard.queue()
    await yard.work(double)

    def in_thread(number: int) -> Any:
        return queue.sync.add("x", number).sync.wait_for_result(25)

    with ThreadPoolExecutor(8) as pool:
        loop = asyncio.get_running_loop()
        results = await asyncio.gather(*(loop.run_in_executor(pool, in_thread, n) for n in range(40)))
    assert results == [2 * n for n in range(40)]


async def test_a_blocking_call_inside_a_running_loop_is_refused_and_works_in_a_thread(yard: Yard) -> None:
    queue = yard.queue()
    with pytest.raises(BlockingCallRefused, match=r"leave out \.sync and write `await ….add\(…\)`"):
        queue.sync.add("x", 4)
    assert await queue.count("waiting") == 0
    job = await asyncio.to_thread(queue.sync.add, "x", 4)
    await yard.work(double)
    assert await job.wait_for_result(25) == 8
    failing = await queue.add("x")
    with pytest.raises(JobFailed, match="nothing to double"):
        await asyncio.to_thread(failing.sync.wait_for_result, 10)


async def test_a_blocking_call_from_the_portal_s_own_loop_is_refused(yard: Yard) -> None:
    queue = yard.queue()

    class Naive:
        async def ask(self) -> Any:
            return queue.sync.counts()

    with pytest.raises(BlockingCallRefused, match="runs an event loop"):
        await asyncio.to_thread(queue._portal.blocking(Naive()).ask)


def test_one_app_serves_several_loops_in_turn(redis_url: str, prefix: str) -> None:
    app = App(shop(), redis_url, prefix=prefix)

    async def use() -> str:
        try:
            return (await app.queue("q").add("x")).id
        finally:
            await app.aclose()

    assert [asyncio.run(use()) for _ in range(3)] == ["1", "2", "3"]


def test_threads_that_use_an_app_first_get_the_same_objects(
    redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App(shop(), redis_url, prefix=prefix)
    count, made = 8, []
    start, inside = threading.Barrier(count), threading.Event()

    def runtime(*given: Any, **named: Any) -> Runtime:
        # Until the others had their chance to make one, too.
        inside.wait(10)
        made.append(Runtime(*given, **named))
        return made[-1]

    monkeypatch.setattr("stockyard.app.runtime.Runtime", runtime)
    channel = Channel("prices", int)

    def use(number: int) -> tuple[object, ...]:
        if start.wait(10) == 0:
            inside.set()
        queue = app.queue("q")
        queue.sync.add("x", number)
        return (queue, app.cache("c"), app.channel(channel), app.monitor, queue._jobs)

    with ThreadPoolExecutor(count) as pool:
        objects = set(pool.map(use, range(count)))
    assert len(objects) == 1
    assert len(made) == 1
    assert app.queue("q").sync.counts()[JobState.WAITING] == count
    app.close()


@pytest.mark.parametrize("closes", ["close", "aclose"])
def test_closing_the_app_ends_waits_for_results_and_loads(redis_url: str, prefix: str, closes: str) -> None:
    app = App(shop(), redis_url, prefix=prefix)
    job = app.queue("q").sync.add("x")
    cache = app.cache("c").sync
    loading, waited = threading.Event(), threading.Event()

    async def load() -> int:
        loading.set()
        await asyncio.Event().wait()
        return 1

    reading = Results.wait

    async def wait(*given: Any) -> Any:
        waited.set()
        return await reading(*given)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(Results, "wait", wait)
        calls = [pool.submit(job.sync.wait_for_result, 60), pool.submit(cache.get_or_set, "k", load)]
        assert loading.wait(10)
        assert waited.wait(10)
        if closes == "close":
            app.close()
        else:
            app.sync.aclose()
        for call in calls:
            with pytest.raises(BlockingCallRefused, match="the app was closed"):
                call.result(30)
    app.close()

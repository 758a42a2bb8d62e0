"""Queues that nobody has declared: added to, worked on and looked at under names that come as they come."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from stockyard import App, Flow, Job, Topology, UnknownQueue
from tests.support.yard import Yard


async def double(job: Job[int]) -> int:
    return 2 * job.data


async def test_a_queue_is_there_when_it_is_asked_for(redis_url: str, prefix: str) -> None:
    async with Yard(redis_url, prefix, topology=Topology("bridge", undeclared={"attempts": 3})) as yard:
        names = ["mail", "reports"]
        jobs = [await yard.app.queue(name).add("x", 4) for name in names]
        assert [job.options.attempts for job in jobs] == [3, 3]
        for name in names:
            await yard.work(double, queue=name)
        assert [await job.wait_for_result(25) for job in jobs] == [8, 8]
        assert [health.name for health in await yard.app.health()] == names
        await yard.app.schedules("nightly").upsert("s", every="1h", name="x")
        tree = await yard.app.flows.add(Flow("sum", "parents", children=[Flow("x", "leaves", 1)]))
        assert await tree.job.state() == "waiting-children"
        assert await yard.app.manual_worker("leaves").take() is not None


async def test_without_the_option_a_queue_is_unknown(yard: Yard) -> None:
    with pytest.raises(UnknownQueue):
        yard.app.queue("mail")


def test_threads_that_come_first_together_get_the_same_queue(redis_url: str, prefix: str) -> None:
    app = App(Topology("bridge", undeclared={}), redis_url, prefix=prefix)
    try:
        with ThreadPoolExecutor(8) as threads:
            for name in ("a", "b", "c"):
                assert len(set(threads.map(lambda _, name=name: app.queue(name), range(32)))) == 1
    finally:
        app.close()


async def test_closing_an_app_knows_the_queues_of_all_tasks(redis_url: str, prefix: str) -> None:
    async with App(Topology("bridge", undeclared={}), redis_url, prefix=prefix) as app:
        await asyncio.gather(*(app.queue(f"q{number}").add("x") for number in range(20)))
        assert sum([await queue.count("waiting") for queue in map(app.queue, app.topology.names)]) == 20

"""Everything that works on one server works on a cluster and under Sentinel."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from stockyard import Channel, Flow, Job, JobCancelled, JobFailed, Topology
from stockyard.cli import main
from tests.support.sets import ClusterSet, SentinelSet
from tests.support.waiting import eventually
from tests.support.yard import Yard

QUEUES = ("execution:orders", "execution:fills", "portfolio:valuation", "mail")


@pytest.fixture(params=["cluster", "sentinel"])
def url(request: pytest.FixtureRequest) -> str:
    servers: ClusterSet | SentinelSet = request.getfixturevalue(f"{request.param}_set")
    return servers.url


@pytest.fixture
async def yard(url: str) -> AsyncIterator[Yard]:
    topology = Topology("sets")
    for name in QUEUES:
        topology.queue(name, attempts=1, remove_on_complete=False, remove_on_fail=False)
    async with Yard(url, "t", topology=topology) as yard:
        for name in QUEUES:
            await yard.app.queue(name).obliterate(force=True)
        yield yard


async def run(job: Job[Any]) -> Any:
    if job.name == "fail":
        raise ValueError("broken")
    if job.name == "hang":
        await asyncio.Event().wait()
    return sum((await job.children_values()).values()) if job.name == "sum" else job.data


async def test_jobs_of_all_queues(yard: Yard) -> None:
    for name in QUEUES:
        await yard.work(run, queue=name, concurrency=20)
    queues = [yard.app.queue(name) for name in QUEUES]
    added = [await queue.add_many([("x", number) for number in range(100)]) for queue in queues]
    singles = await asyncio.gather(*(queue.add("x", "one", delay="1ms", priority=3) for queue in queues))
    assert [await job.wait_for_result(25) for job in singles] == ["one"] * len(QUEUES)
    for queue, jobs in zip(queues, added, strict=True):
        assert await jobs[-1].wait_for_result(25) == 99
        await eventually(partial(_completed, queue, 101))
        assert len(await queue.workers()) == 1
    with pytest.raises(JobFailed, match="broken"):
        await (await queues[0].add("fail", 1)).wait_for_result(25)
    health = await yard.app.health()
    assert {each.name: each.workers for each in health} == dict.fromkeys(QUEUES, 1)


async def _completed(queue: Any, number: int) -> bool:
    return bool(await queue.count("completed") == number)


async def test_flows_schedules_and_cancels(yard: Yard) -> None:
    for name in QUEUES[:2]:
        await yard.work(run, queue=name, concurrency=5)
    tree = await yard.app.flows.add(
        Flow(
            "sum", "execution:orders", children=[Flow("x", "execution:fills", 3), Flow("x", "execution:orders", 4)]
        )
    )
    assert await tree.job.wait_for_result(25) == 7
    orders = yard.app.queue("execution:orders")
    schedules = yard.app.schedules("execution:orders")
    await schedules.upsert("tick", every="200ms", name="x", data=5)
    await eventually(lambda: _completed(orders, 4))
    assert [each.id for each in await schedules.list()] == ["tick"]
    await schedules.remove("tick")
    hanging = await orders.add("hang")
    await eventually(lambda: _active(orders))
    await hanging.cancel("enough")
    with pytest.raises((JobFailed, JobCancelled), match="enough"):
        await hanging.wait_for_result(25)


async def _active(queue: Any) -> bool:
    return bool(await queue.count("active"))


async def test_blocking_calls(yard: Yard) -> None:
    def use() -> list[Any]:
        queue = yard.app.queue("mail").sync
        jobs = queue.add_many([("x", number) for number in range(5)])
        return [queue.count("waiting"), len(jobs), queue.count("waiting")]

    assert await asyncio.to_thread(use) == [5, 5, 5]


async def test_caches(yard: Yard) -> None:
    cache = yard.app.cache("fx", int, ttl="1m", near="10s")
    loads = []

    async def load() -> int:
        loads.append(1)
        return 5

    await cache.clear()
    assert [await cache.get_or_set("eur", load, tags=["rates"]) for _ in range(3)] == [5, 5, 5]
    assert len(loads) == 1
    await cache.set_many({f"k{number}": number for number in range(20)})
    assert (await cache.get_many([f"k{number}" for number in range(20)]))["k7"] == 7
    async with Yard(str(yard.app.settings.address), "t") as other:
        await other.app.cache("fx", int, ttl="1m", near="10s").invalidate("rates")
    await eventually(lambda: _is_missing(cache, "eur"))


async def _is_missing(cache: Any, key: str) -> bool:
    return await cache.get(key) is None


async def test_channels(yard: Yard) -> None:
    live, kept = Channel("live", int), Channel("kept", int, durable=True)
    async with yard.app.channel(live).subscribe() as messages:
        await yard.app.channel(live).publish(1)
        await yard.app.channel(live).publish_many([2, 3])
        assert [(await anext(messages)).value for _ in range(3)] == [1, 2, 3]  # type: ignore[union-attr]
    await yard.app.channel(kept).publish_many([4, 5])
    assert [message.value for message in await yard.app.channel(kept).read()][-2:] == [4, 5]
    async with yard.app.channel(kept).consume("g", after="0-0") as messages:
        assert (await anext(messages)).value in (4, 5)  # type: ignore[union-attr]


async def test_events_of_a_queue(yard: Yard) -> None:
    queue = yard.app.queue("mail")
    async with yard.app.events("mail") as events:
        await queue.add("x", 1)
        event = await anext(events)
        assert event.job_id == "1"  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", ["queue counts", "worker list", "doctor", "cache stats", "health"])
def test_commands(url: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--redis-url", url, "--prefix", "t"]) in (0, 1), capsys.readouterr().err

"""Payload versions: a job runs where its version is understood, and waits where it is not."""

import asyncio
from typing import Any

import pytest

from stockyard import App, InvalidOption, Job, JobState, Topology
from stockyard._store.jobs.versioning import read_versions
from stockyard._store.snapshots import PayloadVersion
from stockyard.halts import Breaker
from stockyard.produce.queue import keyspace_of
from tests.support.waiting import eventually
from tests.support.yard import Yard


def release(version: int, *versions: int) -> Topology:
    """The topology of a release."""
    topology = Topology("test")
    options: dict[str, Any] = {"versions": versions} if versions else {}
    topology.queue("q", version=version, attempts=2, **options)
    return topology


async def test_each_job_runs_where_its_version_is_understood(redis_url: str, prefix: str) -> None:
    ran: dict[str, list[int]] = {"old": [], "new": []}

    def noting(fleet: str) -> Any:
        async def handle(job: Job[int]) -> None:
            ran[fleet].append(job.data)
            if job.data % 10 == 0 and job.attempts_made == 0:
                raise ValueError("once")

        return handle

    async with (
        Yard(redis_url, prefix, topology=release(1)) as old,
        Yard(redis_url, prefix, topology=release(2)) as new,
    ):
        await old.work(noting("old"), concurrency=5)
        await new.work(noting("new"), concurrency=5)
        jobs = []
        for number in range(100):
            queue = new.queue() if number % 2 else old.queue()
            jobs.append(await queue.add("x", number))
        for job in jobs:
            await job.wait_for_result("25s")
    assert sorted(set(ran["old"])) == [number for number in range(100) if not number % 2]
    assert sorted(set(ran["new"])) == [number for number in range(100) if number % 2]


async def test_jobs_that_nobody_understands_wait_and_run_when_somebody_does(redis_url: str, prefix: str) -> None:
    async with Yard(redis_url, prefix, topology=release(1)) as old:
        await old.work(lambda job: None)
        async with App(release(2), redis_url, prefix=prefix) as app:
            queue = app.queue("q")
            jobs = await queue.add_many([("x", number) for number in range(5)])

            async def is_aside() -> bool:
                return (await queue.counts())[JobState.DELAYED] == 5

            await eventually(is_aside)
            facts = {each.version: each for each in await read_versions(keyspace_of(queue))}
            assert facts[2] == PayloadVersion(2, 5, 0)
            assert facts[1].waiting == 0
            assert facts[1].understood_at > 0
            (health,) = await app.health("q")
            assert health.not_understood == 5
            async with Yard(redis_url, prefix, topology=release(2, 1, 2)) as new:
                await new.work(lambda job: None)
                for job in jobs:
                    await job.wait_for_result("25s")
            (health,) = await app.health("q")
            assert health.not_understood == 0


async def test_an_idle_worker_finds_what_another_put_aside(redis_url: str, prefix: str) -> None:
    """With its usual wait, it would find it after seconds."""
    async with (
        Yard(redis_url, prefix, topology=release(2)) as new,
        Yard(redis_url, prefix, topology=release(1)) as old,
    ):
        await new.work(lambda job: None, drain_delay="10s")
        await old.work(lambda job: None, drain_delay="10s")
        for _ in range(5):
            job = await new.queue().add("x")
            await job.wait_for_result("4s")


def test_what_is_no_version_is_refused() -> None:
    topology = Topology("test")
    with pytest.raises(InvalidOption, match="a version and shards"):
        topology.queue("q", version=2, shards=2)
    with pytest.raises(InvalidOption, match="a breaker and a version"):
        topology.queue("q", version=2, breaker=Breaker())
    for version in (0, "2", True, -1):
        with pytest.raises(InvalidOption, match="version"):
            topology.queue("q", version=version)  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="versions"):
        topology.queue("q", version=2, versions=())
    with pytest.raises(InvalidOption, match="has versions and no version"):
        topology.queue("q", versions=(1, 2))


async def test_a_version_needs_a_declaration(yard: Yard) -> None:
    with pytest.raises(InvalidOption, match="declares no version"):
        await yard.queue().add("x", version=2)
    with pytest.raises(InvalidOption, match="declares no version"):
        await asyncio.gather(yard.queue().add_many([("x", 1, {"version": 2})]))


async def test_nothing_of_it_is_left_after_an_obliteration(redis_url: str, prefix: str, raw: Any) -> None:
    async with Yard(redis_url, prefix, topology=release(1)) as yard:
        queue = yard.queue()
        worker = await yard.work(lambda job: None)
        await queue.add("x", version=7)
        await eventually(lambda: raw.exists(f"{prefix}:q:stalled-check:version:7"))
        await worker.stop()
        await queue.set_canary(2, 0.5)
        raw.zadd(f"{prefix}:q:stalled-check:version:7:canary", {"gone": 1})
        raw.zadd(f"{prefix}:q:stalled-check:version:7:stable", {"gone": 1})
        await queue.pause()
        await queue.obliterate()
        assert list(raw.scan_iter(f"{prefix}:q:*")) == []

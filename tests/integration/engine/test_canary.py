"""A canary: workers of a new release run a share of the jobs of the old payload version."""

import asyncio
import hashlib
from typing import Any

import pytest

from stockyard import InvalidOption, Job, Topology
from stockyard._store.jobs.versioning import read_version_facts
from stockyard.monitoring import Canary, VersionJobs
from stockyard.produce.queue import keyspace_of
from tests.support.scraping import scrape
from tests.support.waiting import eventually
from tests.support.yard import Yard


def release(version: int, **options: Any) -> Topology:
    """The topology of a release, which understands the versions before its own."""
    topology = Topology("test")
    topology.queue("q", version=version, versions=range(1, version + 1), **options)
    return topology


def is_of_the_canary(name: str, share: float, version: int = 2) -> bool:
    """Whether a job is, by its key or else its id."""
    drawn = int(hashlib.sha1(f"{version}:{name}".encode()).hexdigest()[:8], 16)
    return drawn < share * 2**32


class Fleets:
    """An old release and a new one on one queue, and who ran what."""

    def __init__(self, old: Yard, new: Yard) -> None:
        self.old, self.new = old, new
        self.queue = old.queue()
        self.ran: dict[str, list[Job[Any]]] = {"old": [], "new": []}

    async def begin(self) -> None:
        """Start a worker of each."""
        await self.old.work(self.noting("old"), concurrency=10)
        await self.new.work(self.noting("new"), concurrency=10)
        await eventually(lambda: _known(self.old))

    def noting(self, fleet: str) -> Any:
        async def handle(job: Job[Any]) -> None:
            self.ran[fleet].append(job)

        return handle

    async def run(self, number: int, **options: Any) -> None:
        """Run so many more jobs, which a program of the old release adds."""
        for ran in self.ran.values():
            ran.clear()
        jobs = await self.queue.add_many([("x", each, options) for each in range(number)])
        await self.finished(len(jobs))

    async def finished(self, number: int) -> None:
        await eventually(lambda: sum(map(len, self.ran.values())) == number)

    @property
    def new_ids(self) -> set[str]:
        return {job.id for job in self.ran["new"]}

    def expected(self, share: float) -> set[str]:
        """The ids that belong to the canary, of all that ran."""
        return {job.id for ran in self.ran.values() for job in ran if is_of_the_canary(job.id, share)}


@pytest.fixture
async def fleets(redis_url: str, prefix: str) -> Any:
    async with (
        Yard(redis_url, prefix, topology=release(1)) as old,
        Yard(redis_url, prefix, topology=release(2)) as new,
    ):
        yield Fleets(old, new)


async def test_the_share_is_kept_raised_and_taken_back_without_a_deploy(fleets: Fleets) -> None:
    await fleets.queue.set_canary(2, 0.05)
    await fleets.begin()
    for share, least, most in ((0.05, 60, 140), (0.5, 900, 1100), (0.0, 0, 0), (1.0, 2000, 2000)):
        await fleets.queue.set_canary(2, share)
        (health,) = await fleets.old.app.health("q")
        assert (health.canary, health.canary_share) == (2, share)
        await fleets.run(2000)
        assert fleets.new_ids == fleets.expected(share)
        assert least <= len(fleets.new_ids) <= most
    assert await fleets.queue.clear_canary() == Canary(2, 1.0)
    assert await fleets.queue.canary() is None


async def test_what_waits_for_the_canary_is_taken_back_at_once(fleets: Fleets) -> None:
    """With its worker alive and frozen: what was put aside for it runs elsewhere when the share is 0."""
    await fleets.queue.set_canary(2, 0.5)
    holds, began = asyncio.Event(), asyncio.Event()

    async def frozen(job: Job[Any]) -> None:
        began.set()
        await holds.wait()

    await fleets.new.work(frozen, concurrency=1)
    await fleets.old.work(fleets.noting("old"), concurrency=10)
    await eventually(lambda: _known(fleets.old))
    jobs = await fleets.queue.add_many([("x", number) for number in range(200)])
    await began.wait()
    canary = [job for job in jobs if is_of_the_canary(job.id, 0.5)]
    await fleets.finished(200 - len(canary))
    await fleets.queue.set_canary(2, 0)
    await fleets.finished(199)
    holds.set()
    await canary[0].wait_for_result("10s")


async def test_jobs_of_one_key_run_on_one_side_and_in_order(redis_url: str, prefix: str) -> None:
    keys = [f"key-{number}" for number in range(40)]
    ran: dict[str, list[tuple[str, int]]] = {key: [] for key in keys}

    def noting(fleet: str) -> Any:
        async def handle(job: Job[int]) -> None:
            assert job.options.key is not None
            ran[job.options.key].append((fleet, job.data))

        return handle

    async with (
        Yard(redis_url, prefix, topology=release(1, ordered=True)) as old,
        Yard(redis_url, prefix, topology=release(2, ordered=True)) as new,
    ):
        await old.queue().set_canary(2, 0.25)
        await old.work(noting("old"), concurrency=5)
        await new.work(noting("new"), concurrency=5)
        # Whichever asks first, the other one is known by then.
        await eventually(lambda: _known(old))
        jobs = await old.queue().add_many([("x", at, {"key": key}) for at in range(5) for key in keys])
        for job in jobs[-40:]:
            await job.wait_for_result("30s")
        await eventually(lambda: sum(map(len, ran.values())) == 200)
    for key, seen in ran.items():
        assert [at for _, at in seen] == list(range(5))
        assert {fleet for fleet, _ in seen} == {"new" if is_of_the_canary(key, 0.25) else "old"}


async def _known(yard: Yard) -> bool:
    return set((await read_version_facts(keyspace_of(yard.queue()))).releases) == {1, 2}


async def test_an_old_version_drains_and_says_so(redis_url: str, prefix: str) -> None:
    async with (
        Yard(redis_url, prefix, topology=release(1)) as old,
        Yard(redis_url, prefix, topology=release(2)) as new,
    ):
        await old.queue().add_many([("x", number) for number in range(3)])
        await old.queue().add("x", delay="1h", job_id="later")
        await new.queue().add("y")
        queue = new.queue()
        assert await queue.count_versions() == [VersionJobs(1, waiting=3, delayed=1), VersionJobs(2, waiting=1)]
        running, goes_on = asyncio.Event(), asyncio.Event()

        async def handle(job: Job[Any]) -> None:
            if job.data == 2:
                running.set()
                await goes_on.wait()

        await new.work(handle, concurrency=5)
        await running.wait()
        later = await queue.get_job("later")
        assert later is not None
        await later.promote()
        await later.wait_for_result("10s")
        (first, second) = await queue.count_versions()
        assert (first.total, first.active, first.is_drained) == (1, 1, False)
        goes_on.set()

        async def is_drained() -> bool:
            return all(each.is_drained for each in await queue.count_versions())

        await eventually(is_drained)
        assert second.is_drained


async def test_metrics_show_the_share_and_what_is_left(fleets: Fleets, monkeypatch: pytest.MonkeyPatch) -> None:
    await fleets.queue.set_canary(2, 0.05)
    await fleets.queue.add_many([("x", number, {"delay": "1h"}) for number in range(3)])
    await fleets.new.queue().add("y")
    server = fleets.old.app.serve_metrics()
    found = await scrape(server.url, "queue", "version")
    assert found["stockyard_queue_canary_share q 2"] == 0.05
    assert found["stockyard_jobs_by_version q 1"] == 3
    assert found["stockyard_jobs_by_version q 2"] == 1
    assert found["stockyard_jobs_by_version q unknown"] == 0
    monkeypatch.setattr("stockyard.observe.app_monitor._MOST_COUNTED", 0)
    found = await scrape(server.url, "queue", "version")
    assert found["stockyard_jobs_by_version q unknown"] == 4


async def test_a_busy_worker_is_known(redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for no jobs while it has no free place, and is none that has gone."""
    monkeypatch.setattr("stockyard.consume.recover.presence._SECONDS", 0.05)
    async with Yard(redis_url, prefix, topology=release(1)) as yard:
        began, goes_on = asyncio.Event(), asyncio.Event()

        async def handle(job: Job[Any]) -> None:
            began.set()
            await goes_on.wait()

        await yard.work(handle, concurrency=1)
        await yard.queue().add("x")
        await began.wait()
        (before,) = await yard.queue().versions()

        async def is_noted_again() -> bool:
            (now,) = await yard.queue().versions()
            return now.understood_at > before.understood_at + 100

        await eventually(is_noted_again)
        goes_on.set()


async def test_what_is_no_canary_is_refused(fleets: Fleets, yard: Yard) -> None:
    for share in (-0.1, 1.1, "5%", True, float("nan")):
        with pytest.raises(InvalidOption, match="share must be"):
            await fleets.queue.set_canary(2, share)  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="version"):
        await fleets.queue.set_canary(0, 0.5)
    with pytest.raises(InvalidOption, match="declares no version"):
        await yard.queue("plain").set_canary(2, 0.5)

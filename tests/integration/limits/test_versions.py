"""Exchange limits on a queue with payload versions: a job runs where it is understood, within its limits."""

from collections import Counter
from typing import Any

from stockyard import Job, Topology
from stockyard.limits import Fixed, Limits
from tests.support.waiting import eventually
from tests.support.yard import Yard

MOST = 20
EXCHANGE = Limits("exchange", [Fixed("orders", MOST, per="1s", scope="account")])


def release(version: int) -> Topology:
    """The topology of a release."""
    topology = Topology("test")
    topology.queue("q", version=version, limits=EXCHANGE)
    return topology


async def test_two_releases_share_the_limits_of_one_queue(redis_url: str, prefix: str) -> None:
    ran: dict[int, list[Job[int]]] = {1: [], 2: []}

    def noting(version: int) -> Any:
        async def handle(job: Job[int]) -> None:
            ran[version].append(job)

        return handle

    async with (
        Yard(redis_url, prefix, topology=release(1)) as old,
        Yard(redis_url, prefix, topology=release(2)) as new,
    ):
        await old.work(noting(1), concurrency=10)
        await new.work(noting(2), concurrency=10)
        for account in ("A", "B"):
            for yard in (old, new):
                await yard.queue().add_many([("x", at, {"scope": {"account": account}}) for at in range(30)])
        await eventually(lambda: len(ran[1]) + len(ran[2]) == 120)

        async def is_drained() -> bool:
            return all(each.is_drained for each in await new.queue().count_versions())

        await eventually(is_drained)
    started: Counter[tuple[str, int]] = Counter()
    for version, jobs in ran.items():
        assert {job.options.version for job in jobs} == {version}
        assert len({job.id for job in jobs}) == 60
        for job in jobs:
            assert job.options.use is not None
            assert job.processed_on is not None
            started[dict(job.options.use.scope)["account"], job.processed_on // 1000] += 1
    assert max(started.values()) <= MOST

"""What a worker says of itself: errors of its own, leases that it lost, leases that were renewed."""

import asyncio
from collections.abc import Callable
from typing import Any

import redis

from stockyard import Hooks, Job
from stockyard.errors import ServerError
from stockyard.testing.proxy import Proxy
from tests.support.servers import OwnServer
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def hold(job: Job[Any]) -> None:
    """Run until the worker stops, or the lease is lost."""
    await asyncio.Event().wait()


async def test_a_lease_that_passes_to_another_is_said(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    queue = yard.queue()
    lost: list[Any] = []
    worker = await yard.work(hold, hooks=Hooks(lease_lost=lambda job: lost.append((job.id, job.data))), lock=0.2)
    job = await queue.add("x", {"n": 1})
    await eventually(lambda: worker.running == 1)
    raw.set(f"{prefix}:q:{job.id}:lock", "another")
    await eventually(lambda: lost == [(job.id, {"n": 1})])
    await eventually(lambda: worker.running == 0)


async def test_an_end_that_comes_too_late_is_said(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    queue = yard.queue()
    lost: list[str] = []
    ended = asyncio.Event()

    async def steal(job: Job[Any]) -> None:
        raw.set(f"{prefix}:q:{job.id}:lock", "another")

    await yard.work(
        steal,
        hooks=Hooks(lease_lost=lambda job: lost.append(job.id), completed=lambda job, _: ended.set()),
    )
    job = await queue.add("x")
    await eventually(lambda: lost == [job.id])
    assert not ended.is_set()


async def test_leases_that_were_renewed_are_said_to_the_worker_that_asks(yard: Yard) -> None:
    queue, other = yard.queue(), yard.queue("other")
    renewed: list[list[str]] = []
    worker = await yard.work(hold, concurrency=2, lock=0.2, grace=0, hooks=Hooks(leases_renewed=renewed.append))
    beside = await yard.work(hold, queue="other", lock=0.2, grace=0)
    await other.add("x", job_id="elsewhere")
    await queue.add_many([("x", 1), ("x", 2)])
    await eventually(lambda: (worker.running, beside.running) == (2, 1))
    await eventually(lambda: sorted(renewed[-1] if renewed else []) == ["1", "2"])
    seen = len(renewed)
    await eventually(lambda: len(renewed) > seen + 2)
    assert "elsewhere" not in [job_id for job_ids in renewed for job_id in job_ids]


async def test_a_server_that_goes_away_is_said_once(make_server: Callable[..., OwnServer]) -> None:
    errors: list[BaseException] = []
    async with Proxy(make_server(port=True).url) as proxy, Yard(proxy.url, "bull") as yard:
        queue = yard.queue()
        worker = await yard.work(hold, hooks=Hooks(error=errors.append), drain_delay=0.05)
        assert errors == []
        await proxy.refuse()
        await eventually(lambda: errors)
        assert all(isinstance(error, ServerError) for error in errors)
        await proxy.accept()
        await eventually(lambda: all(check.ok for check in worker.health_checks()))
        await queue.add("x")
        await eventually(lambda: worker.running == 1)
        await worker.stop(grace=0)
        assert len({str(error) for error in errors}) == len(errors)

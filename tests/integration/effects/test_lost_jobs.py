"""Jobs that run at most once though they began no effect, and what effects cost others and leave behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis

from stockyard import Job, JobFailed, JobState
from stockyard._store.scripts import load
from stockyard.effects.reconciler import EffectReconciler
from tests.support.yard import Yard

ONCE = {"delivery": "at_most_once"}


@pytest.fixture
async def yard(redis_url: str, prefix: str) -> AsyncIterator[Yard]:
    async with Yard(redis_url, prefix) as yard:
        yield yard


async def test_a_job_that_is_stopped_before_an_effect_is_unknown_where_jobs_run_at_most_once(yard: Yard) -> None:
    is_in = asyncio.Event()

    async def submit(job: Job[str]) -> None:
        is_in.set()
        await asyncio.Event().wait()

    queue = yard.queue(attempts=5, **ONCE)
    worker = await yard.work(submit)
    job = await queue.add("x", "A1")
    await is_in.wait()
    await worker.stop(grace=0)
    ended = await job.refresh()
    assert await job.state() == JobState.FAILED
    assert (ended.failed_reason or "").startswith("OutcomeUnknown: its worker stopped")
    (record,) = await yard.app.effects.list()
    assert (record.key, record.is_whole_job) == (f"job:{job.id}", True)


async def test_a_job_that_is_stopped_behind_its_effect_runs_again_and_returns_it(yard: Yard) -> None:
    is_behind = asyncio.Event()

    async def submit(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="5s") as effect:
            effect.record({"id": 5})
        is_behind.set()
        await asyncio.Event().wait()

    queue = yard.queue(**ONCE)
    worker = await yard.work(submit)
    job = await queue.add("x", "A1")
    await is_behind.wait()
    await worker.stop(grace=0)
    assert await job.state() == JobState.WAITING
    await yard.work(submit)
    assert await job.wait_for_result(20) == {"id": 5}


async def test_a_node_worker_that_recovers_a_job_does_not_make_us_run_it_again(
    yard: Yard, raw: "redis.Redis", prefix: str
) -> None:
    """Node's recovery puts a stalled job back, no more: our worker asks before it starts such a job."""
    ran: list[str] = []

    async def submit(job: Job[str]) -> None:
        ran.append(job.id)

    queue = yard.queue(**ONCE)
    job = await queue.add("x", "A1")
    raw.hset(f"{prefix}:q:{job.id}", mapping={"stc": 1, "ats": 1})
    await yard.work(submit)
    with pytest.raises(JobFailed, match="OutcomeUnknown: the job lost its worker"):
        await job.wait_for_result(20)
    assert ran == []
    await yard.app.effects.settle(f"job:{job.id}", "failed", source="person (ada)", note="not at the venue")
    await job.retry()
    await job.wait_for_result(20)
    assert ran == [job.id]


async def test_effects_survive_their_queue_unless_that_is_forced(yard: Yard) -> None:
    async def submit(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="5s") as effect:
            effect.record()

    queue = yard.queue()
    await yard.work(submit)
    await (await queue.add("x", "A1")).wait_for_result(20)
    await queue.obliterate()
    assert await yard.app.effects.get("A1") is not None
    await queue.obliterate(force=True)
    assert await yard.app.effects.get("A1") is None


async def test_another_s_events_are_not_disturbed(yard: Yard) -> None:
    async def submit(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="5s"):
            raise OSError("reset")

    queue = yard.queue()
    await yard.work(submit)
    with pytest.raises(JobFailed):
        await (await queue.add("x", "A1")).wait_for_result(20)
    async with yard.app.events("q", after="0-0") as events:
        async for event in events:
            if type(event).__name__ == "CustomEvent":
                assert getattr(event, "name", None) == "effect"
                break


def test_a_queue_without_effects_runs_what_it_ran_before() -> None:
    for name in ("finishing.finish", "finishing.finish+rate", "adding.add", "leasing.renew"):
        assert "effect" not in load(name).text


async def test_a_queue_that_declares_none_has_nobody_who_looks_after_them(yard: Yard) -> None:
    looks: list[int] = []

    class Counting(EffectReconciler):
        async def look(self) -> None:
            looks.append(1)

    spec = yard.topology.queue("plain")
    service = Counting(yard.app.queue("plain")._keyspace, is_used=spec.uses_effects)
    await service.start()
    await asyncio.sleep(0)
    await service.stop()
    assert looks == []

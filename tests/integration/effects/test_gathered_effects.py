"""Effects of many jobs at a time: their intents and outcomes travel in few calls, each decided by itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from stockyard import Job, JobFailed
from stockyard._store import effects as store
from stockyard._store.keyspace import QueueKeyspace
from tests.support.yard import Yard

JOBS = 40


class Calls:
    """Counts the calls and what they carry."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: dict[str, list[int]] = {"begin": [], "report": []}
        for name in self.sizes:
            monkeypatch.setattr(store, name, self._counted(name, getattr(store, name)))

    def _counted(self, name: str, function: Any) -> Any:
        async def call(keyspace: QueueKeyspace, carried: Sequence[Any], **options: Any) -> Any:
            self.sizes[name].append(len(carried))
            return await function(keyspace, carried, **options)

        return call


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


@pytest.fixture
async def yard(calls: Calls, redis_url: str, prefix: str) -> AsyncIterator[Yard]:
    async with Yard(redis_url, prefix) as yard:
        yield yard


async def test_jobs_that_run_together_begin_and_report_together(yard: Yard, calls: Calls) -> None:
    arrived, sent = 0, asyncio.Event()

    async def submit(job: Job[str]) -> str:
        nonlocal arrived
        arrived += 1
        if arrived == JOBS:
            sent.set()
        await sent.wait()
        async with job.effect(job.data, max_duration="5s") as effect:
            effect.record(effect.fence)
        return effect.key

    queue = yard.queue()
    jobs = await queue.add_many([("x", f"A{number}") for number in range(JOBS)])
    await yard.work(submit, concurrency=JOBS)
    assert [await job.wait_for_result(30) for job in jobs] == [f"A{number}" for number in range(JOBS)]
    records = await yard.app.effects.list("committed")
    assert sorted(record.key for record in records) == sorted(f"A{number}" for number in range(JOBS))
    assert {(record.fence, record.value) for record in records} == {(1, 1)}
    assert (sum(calls.sizes["begin"]), sum(calls.sizes["report"])) == (JOBS, JOBS)
    assert len(calls.sizes["begin"]) <= 3
    assert len(calls.sizes["report"]) <= 10


async def test_what_one_job_is_refused_costs_no_other(yard: Yard, calls: Calls) -> None:
    arrived, sent = 0, asyncio.Event()

    async def submit(job: Job[dict[str, Any]]) -> str:
        nonlocal arrived
        arrived += 1
        if arrived == 4:
            sent.set()
        await sent.wait()
        async with job.effect(job.data["key"], max_duration="5s") as effect:
            if job.data["key"] == "broken":
                raise OSError("connection reset")
            effect.record()
        return effect.key

    queue = yard.queue()
    await yard.work(submit, concurrency=4)
    first = await queue.add_many([("x", {"key": key}) for key in ("used", "a", "b", "c")])
    assert [await job.wait_for_result(30) for job in first] == ["used", "a", "b", "c"]
    arrived = 0
    sent.clear()
    calls.sizes["begin"].clear()
    second = await queue.add_many(
        [("x", {"key": key, "quantity": number}) for number, key in enumerate(("d", "used", "broken", "e"))]
    )
    assert (await second[0].wait_for_result(30), await second[3].wait_for_result(30)) == ("d", "e")
    with pytest.raises(JobFailed, match="EffectMismatch"):
        await second[1].wait_for_result(30)
    with pytest.raises(JobFailed, match="connection reset"):
        await second[2].wait_for_result(30)
    assert sum(calls.sizes["begin"]) == 4
    assert len(calls.sizes["begin"]) <= 2

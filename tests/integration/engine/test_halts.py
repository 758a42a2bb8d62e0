"""The kill switch: queues and keys that are halted start nothing, and begin no effect, until they are resumed."""

import asyncio
from typing import Any

import pytest
import redis

from stockyard import App, InvalidOption, Job, JobState, Topology
from stockyard.effects import EffectHalted
from stockyard.errors import QueueStateError
from stockyard.model.limit import Fixed
from stockyard.model.limits import Limits
from tests.support.waiting import eventually, stays
from tests.support.yard import Yard

BY: dict[str, Any] = {"reason": "runaway strategy", "by": "ada"}


class Ran:
    """A handler that notes what it ran."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def __call__(self, job: Job[Any]) -> None:
        self.ids.append(job.id)


async def test_a_halted_queue_starts_nothing_until_it_is_resumed(yard: Yard) -> None:
    queue, ran = yard.queue("execution:orders"), Ran()
    yard.queue("portfolio:prices")
    await yard.work(ran, "execution:orders", drain_delay=0.02)
    halt = await yard.app.halt("execution:*", **BY)
    jobs = [await queue.add("x"), await queue.add("x", priority=1), await queue.add("x", delay=0.01)]
    # That the due one waits shows that the worker looked.
    await eventually(lambda: _waits(jobs[2]))
    assert ran.ids == []
    assert await yard.app.halts() == [halt]
    (health, other) = await yard.app.health()
    assert (health.halted, health.paused, health.halted_keys, health.breaker) == (True, True, 0, "closed")
    assert health.halt_reason == "execution:* halted by ada: runaway strategy"
    assert health.halted_age >= 0
    assert not other.halted
    with pytest.raises(QueueStateError, match="is halted, and not merely paused"):
        await queue.resume()

    assert await yard.app.resume("execution:*", by="bob", reason="stopped it")
    await eventually(lambda: len(ran.ids) == 3)
    assert await yard.app.halts() == []
    assert not await yard.app.resume("execution:*", by="bob")
    audit = await yard.app.halt_audit()
    assert [(each.action, each.by, each.reason) for each in audit] == [
        ("resume", "bob", ""),
        ("resume", "bob", "stopped it"),
        ("halt", "ada", "runaway strategy"),
    ]


async def _waits(job: Job[Any]) -> bool:
    return await job.state() == JobState.WAITING


async def test_a_queue_that_was_paused_stays_paused(yard: Yard) -> None:
    queue = yard.queue()
    await queue.pause()
    await yard.app.halt("q", **BY)
    await yard.app.resume("q", by="ada")
    assert await queue.is_paused()
    await queue.resume()
    assert not await queue.is_paused()


async def test_it_holds_for_a_queue_that_is_declared_later(yard: Yard, redis_url: str, prefix: str) -> None:
    yard.queue("other")
    await yard.app.halt("exec*", **BY)
    ran = Ran()
    async with Yard(redis_url, prefix) as later:
        queue = later.queue("execution")
        await queue.add("x")
        await later.work(ran, "execution", drain_delay=0.02)
        assert await queue.is_paused()
        await stays(lambda: ran.ids == [])
        # The program that resumes it does not declare it either: its worker hears of it.
        await yard.app.resume("exec*", by="ada")
        await eventually(lambda: len(ran.ids) == 1)


async def test_two_halts_hold_until_both_are_resumed(yard: Yard) -> None:
    queue = yard.queue()
    await yard.app.halt("*", **BY)
    await yard.app.halt("q", **BY)
    await yard.app.resume("*", by="ada")
    assert (await yard.app.health())[0].halted
    await yard.app.resume("q", by="ada")
    assert not await queue.is_paused()


async def test_what_somebody_else_resumes_is_paused_again(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    yard.queue()
    await yard.work(Ran())
    await yard.app.halt("q", **BY)
    # As Node's queue.resume().
    raw.hdel(f"{prefix}:q:meta", "paused")
    await eventually(lambda: raw.hexists(f"{prefix}:q:meta", "paused"))


@pytest.mark.parametrize("given", ["key", "scope"])
async def test_a_key_is_held_while_others_go_on(yard: Yard, given: str) -> None:
    limits = Limits("venue", [Fixed("orders", 1000, per="1s", scope="account")])
    declared: dict[str, Any] = {"limits": limits} if given == "scope" else {}

    def of(account: str) -> dict[str, Any]:
        return {"key": account} if given == "key" else {"scope": {"account": account}}

    queue, ran = yard.queue(attempts=2, **declared), Ran()
    await yard.work(ran, concurrency=5)
    await yard.app.halt("q", key="account-1", **BY)
    held = [await queue.add("x", **of("account-1")) for _ in range(3)]
    others = [await queue.add("x", **of("account-2")) for _ in range(3)]
    for job in others:
        await job.wait_for_result(25)
    await eventually(lambda: _are_delayed(held))
    assert set(ran.ids) == {job.id for job in others}
    (health,) = await yard.app.health()
    assert (health.halted, health.halted_keys) == (False, 1)
    await yard.app.resume("q", key="account-1", by="ada")
    for job in held:
        await job.wait_for_result(25)
        assert (await job.refresh()).attempts_made == 1


async def _are_delayed(jobs: list[Job[Any]]) -> bool:
    return all([await job.state() == JobState.DELAYED for job in jobs])


@pytest.mark.parametrize("what", ["queue", "key", "scope"])
async def test_a_job_that_runs_begins_no_effect(yard: Yard, what: str) -> None:
    placed: list[str] = []
    running, go_on = asyncio.Event(), asyncio.Event()
    seen: list[EffectHalted] = []

    async def submit(job: Job[str]) -> dict[str, str]:
        running.set()
        await go_on.wait()
        scope = {"account": "A1"} if what == "scope" else None
        try:
            async with job.effect(job.data, max_duration="1s", scope=scope) as effect:
                placed.append(effect.key)
                effect.record({"id": effect.key})
        except EffectHalted as halted:
            seen.append(halted)
            raise
        return {}

    queue = yard.queue()
    await yard.work(submit)
    job = await queue.add("submit", "order-1", key="A1" if what == "key" else None)
    await running.wait()
    await yard.app.halt("q", key=None if what == "queue" else "A1", **BY)
    go_on.set()
    await eventually(lambda: bool(seen))
    assert "runaway strategy" in str(seen[0])
    await eventually(lambda: _is_put_back(job))
    assert (placed, (await job.refresh()).attempts_made) == ([], 0)
    assert await yard.app.effects.get("order-1") is None
    await yard.app.resume("q", key=None if what == "queue" else "A1", by="ada")
    await job.wait_for_result(25)
    assert placed == ["order-1"]


async def _is_put_back(job: Job[Any]) -> bool:
    return await job.state() in (JobState.WAITING, JobState.DELAYED)


def test_blocking_twins(redis_url: str, prefix: str) -> None:
    topology = Topology("t")
    topology.queue("q")
    app = App(topology, redis_url, prefix=prefix)
    halt = app.sync.halt("q", **BY)
    assert app.sync.halts() == [halt]
    assert app.sync.resume("q", by="ada")
    assert len(app.sync.halt_audit()) == 2
    app.close()


@pytest.mark.parametrize(
    "wrong",
    [{"queues": ""}, {"queues": None}, {"reason": ""}, {"by": ""}, {"key": ""}, {"key": "x" * 1001}, {"by": 5}],
)
async def test_a_mistake_is_named(yard: Yard, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption, match=f"{next(iter(wrong))} must be non-empty text"):
        await yard.app.halt(**{"queues": "q", **BY, **wrong})


async def test_a_queue_over_shards_is_halted_in_all_of_them(yard: Yard) -> None:
    queue, ran = yard.queue("ticks", shards=3), Ran()
    await yard.work(ran, "ticks", drain_delay=0.02)
    await yard.app.halt("ticks", **BY)
    jobs = [await queue.add("x", key=f"{number}") for number in range(9)]
    (health,) = await yard.app.health()
    assert (health.halted, health.waiting) == (True, 9)
    await stays(lambda: ran.ids == [])
    await yard.app.resume("ticks", by="ada")
    for job in jobs:
        await job.wait_for_result(25)


async def test_jobs_of_a_key_run_in_their_order_after_its_halt(yard: Yard) -> None:
    queue, ran = yard.queue(ordered=True), Ran()
    await yard.work(ran, concurrency=5)
    await yard.app.halt("q", key="A", **BY)
    held = [await queue.add("x", key="A") for _ in range(5)]
    await (await queue.add("x", key="B")).wait_for_result(25)
    await eventually(lambda: _are_delayed(held[:1]))
    ran.ids.clear()
    await yard.app.resume("q", key="A", by="ada")
    for job in held:
        await job.wait_for_result(25)
    assert ran.ids == [job.id for job in held]

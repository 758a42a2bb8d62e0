"""Snapshots of queues."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import redis

from stockyard import Job, QueueHealth
from stockyard.model.clock import SteppedClock
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def test_an_untouched_queue_is_all_zero(yard: Yard) -> None:
    yard.queue("portfolio:high_priority")
    assert await yard.app.health() == [QueueHealth("portfolio:high_priority", 0, 0, 0, 0, 0)]


async def test_an_app_without_queues_has_no_health(yard: Yard) -> None:
    assert await yard.app.health() == []


async def test_a_snapshot_counts_ages_and_workers(redis_url: str, prefix: str) -> None:
    clock = SteppedClock()
    async with Yard(redis_url, prefix, clock=clock) as yard:
        queue = yard.queue()
        opened = asyncio.Event()

        async def handle(job: Job[Any]) -> None:
            if job.name == "bad":
                raise ValueError
            if job.name == "long":
                await opened.wait()

        await queue.add("late", delay="1h")
        await yard.app.schedules("q").upsert("nightly", cron="0 3 * * *", name="report")
        worker = await yard.work(handle, concurrency=1, name="desk-3")
        await (await queue.add("good")).wait_for_result(25)
        bad = await queue.add("bad")
        await eventually(lambda: _failed(bad))
        long = await queue.add("long")
        await eventually(lambda: worker.running)
        await queue.add("oldest", priority=7)
        clock.step(2000)
        await queue.add("young")
        await queue.add("front", priority=1)
        clock.step(1500)

        (health,) = await yard.app.health("q")
        # The start of a job is read off the server's clock, which is no manual one.
        assert health.longest_active == pytest.approx(3.5, abs=0.5)
        assert health.longest_active_since == pytest.approx(clock() - 3500, abs=500)
        assert replace(health, longest_active=0, longest_active_since=0) == QueueHealth(
            "q",
            waiting=3,
            active=1,
            completed=1,
            failed=1,
            delayed=2,
            prioritized=2,
            paused=False,
            oldest_waiting_age=3.5,
            workers=1,
            schedules=1,
            longest_active_job=long.id,
            longest_active_worker="desk-3",
            completed_total=1,
            failed_total=1,
        )
        opened.set()


async def test_all_queues_are_read_in_one_round_trip(yard: Yard, raw: "redis.Redis") -> None:
    names = [f"q{number}" for number in range(7)]
    for name in names:
        yard.queue(name)
    await yard.queue("q3").add("x")
    await yard.app.health()

    def lines() -> int:
        stats: Any = raw.info("commandstats")
        return int(stats["cmdstat_client|list"]["calls"])

    before = lines()
    snapshots = await yard.app.health()
    assert [each.name for each in snapshots] == names
    assert [each.waiting for each in snapshots] == [0, 0, 0, 1, 0, 0, 0]
    assert lines() - before == 1


@pytest.mark.parametrize("paused", [True, False])
async def test_a_paused_queue_says_so_and_its_jobs_wait(
    yard: Yard, raw: "redis.Redis", prefix: str, paused: bool
) -> None:
    queue = yard.queue()
    if paused:
        raw.hset(f"{prefix}:q:meta", "paused", "1")
    await queue.add("x")
    (health,) = await yard.app.health()
    assert (health.paused, health.waiting) == (paused, 1)


async def _failed(job: Job[Any]) -> bool:
    return await job.state() == "failed"

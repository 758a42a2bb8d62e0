"""Jobs that expire: dropped when they would start, and before a retry or an effect that would come too late."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from stockyard import Flow, Hooks, InvalidOption, Job, JobFailed, JobNotFound, Queue
from stockyard.errors import JobExpired, JobStateError
from stockyard.events import ExpiredEvent, FailedEvent
from stockyard.model.clock import SteppedClock
from tests.support.waiting import eventually
from tests.support.yard import START, Yard


async def test_a_job_that_could_not_start_in_time_is_never_run(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue(expires_in="5s", remove_on_fail=False)
    late = await queue.add("x", "late", expires_in="2s")
    fresh = await queue.add("x", "fresh")
    assert (late.expires_at, fresh.expires_at) == (START + 2000, START + 5000)
    clock.step(2000)
    ran: list[str] = []
    expired: list[str] = []
    failed: list[str] = []
    hooks = Hooks(expired=lambda job: expired.append(job.data), failed=lambda job, _: failed.append(job.data))

    async def handle(job: Job[str]) -> None:
        ran.append(job.data)

    worker = await timed.work(handle, hooks=hooks)
    await fresh.wait_for_result(25)
    await eventually(lambda: expired == ["late"])
    assert (ran, failed) == (["fresh"], [])
    assert await queue.get_job(late.id) is None
    (health,) = await timed.app.health("q")
    assert (health.expired_total, health.failed, health.completed) == (1, 0, 1)
    assert worker.metrics.of("x").expired == 1
    async with timed.app.events("q", after="0-0", only=[ExpiredEvent, FailedEvent]) as events:
        first, second = [event async for _, event in _first(events, 2)]
    assert isinstance(first, ExpiredEvent)
    assert isinstance(second, FailedEvent)
    assert first.job_id == second.job_id == late.id
    assert second.failed_reason == "expired: it was not started in time"


async def _first(events: Any, number: int) -> Any:
    at = 0
    async for event in events:
        yield at, event
        at += 1
        if at == number:
            return


async def test_who_waits_for_its_result_is_answered(timed: Yard, clock: SteppedClock) -> None:
    job = await timed.queue().add("x", expires_in="1s")
    waiting = asyncio.create_task(job.wait_for_result(25))
    clock.step(1000)
    await timed.work(lambda job: None)
    with pytest.raises((JobFailed, JobNotFound)):
        await waiting


async def test_the_time_counts_from_the_end_of_a_delay(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue()
    job = await queue.add("x", delay="10s", expires_in="2s")
    assert job.expires_at == START + 12_000
    clock.step(11_000)
    await timed.work(lambda job: "done")
    assert await job.wait_for_result(25) == "done"


@pytest.mark.parametrize("first", [{"delay": "3s"}, {"attempts": 2, "backoff": "3s"}])
async def test_a_newer_payload_expires_after_the_time_that_its_job_waits_for(
    timed: Yard, clock: SteppedClock, first: dict[str, Any]
) -> None:
    queue = timed.queue(coalesce="latest")
    ran: list[str] = []

    async def handle(job: Job[str]) -> None:
        ran.append(job.data)
        if job.data == "old":
            raise ConnectionError

    await timed.work(handle)
    job = await queue.add("x", "old", coalesce="BTC", **first)

    async def is_delayed() -> bool:
        return await job.state() == "delayed"

    await eventually(is_delayed)
    newer = await queue.add("x", "new", coalesce="BTC", expires_in="1s")
    assert (newer.id, newer.expires_at) == (job.id, START + 4000)
    clock.step(3500)
    await newer.wait_for_result(25)
    assert ran[-1] == "new"


async def test_a_job_that_is_put_off_expires_later(timed: Yard) -> None:
    job = await timed.queue().add("x", delay="3s", expires_in="1s")
    await job.change_delay("1h")
    assert (await job.refresh()).expires_at == START + 3_601_000


async def test_a_moment_may_be_given(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue(expires_in="1h")
    moment = datetime.fromtimestamp(START / 1000, UTC) + timedelta(seconds=3)
    job = await queue.add("x", expires_at=moment)
    assert job.expires_at == START + 3000
    assert (await job.refresh()).expires_at == START + 3000
    assert (await queue.add("x", expires_in=None)).expires_at is None
    with pytest.raises(InvalidOption, match="exclude each other"):
        await queue.add("x", expires_in="1s", expires_at=moment)


async def test_a_retry_that_would_come_too_late_is_none(timed: Yard) -> None:
    queue = timed.queue(attempts=5)
    expired: list[str] = []
    runs: list[int] = []

    async def fail(job: Job[Any]) -> None:
        runs.append(job.attempt)
        raise ValueError("no price")

    await timed.work(fail, hooks=Hooks(expired=lambda job: expired.append(job.failed_reason or "")))
    await queue.add("x", expires_in="5s", backoff="10s")
    await eventually(lambda: len(expired) == 1)
    assert runs == [1]
    assert expired == ["expired before its next attempt; the last one failed: ValueError: no price"]


async def test_a_handler_may_say_that_it_is_too_late(timed: Yard) -> None:
    queue = timed.queue(attempts=5)
    expired: list[str] = []

    async def handle(job: Job[Any]) -> None:
        raise JobExpired("the market has closed")

    await timed.work(handle, hooks=Hooks(expired=lambda job: expired.append(job.failed_reason or "")))
    await queue.add("x")
    await eventually(lambda: expired == ["expired: the market has closed"])


async def test_an_effect_is_not_begun_after_the_expiry(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue(lock="30s")
    seen: list[Any] = []
    expired: list[str] = []

    async def handle(job: Job[Any]) -> None:
        async with job.effect(key="first", max_duration="20s") as effect:
            seen.append((effect.deadline, job.expires_at))
            effect.record()
        clock.step(5000)
        async with job.effect(key="second", max_duration="1s"):
            seen.append("second")

    await timed.work(handle, hooks=Hooks(expired=lambda job: expired.append(job.failed_reason or "")))
    await queue.add("x", expires_in="5s")
    await eventually(lambda: len(expired) == 1)
    assert seen == [(START + 5000, START + 5000)]
    assert expired == ["expired: effect second was not begun: its job has expired"]


async def test_children_expire_with_their_parent(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue()
    tree = await timed.app.flows.add(
        Flow(
            "root",
            "q",
            expires_in="5s",
            children=[
                Flow("a", "q"),
                Flow("b", "q", expires_in="2s"),
                Flow("c", "q", expires_in="9s"),
            ],
        )
    )
    assert [child.job.expires_at for child in tree.children] == [START + 5000, START + 2000, START + 5000]
    parent = await queue.add("x", expires_in="3s", delay="1s")
    clock.step(100)
    child = await queue.add("y", parent=parent, expires_in="1h")
    assert child.expires_at == START + 4000
    assert (await child.refresh()).expires_at == START + 4000


async def test_a_newer_payload_begins_the_time_again(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue(coalesce="latest", expires_in="2s")
    await queue.add("x", 1, coalesce="BTC")
    clock.step(1500)
    job = await queue.add("x", 2, coalesce="BTC")
    assert (await job.refresh()).expires_at == START + 3500
    clock.step(1500)
    ran: list[int] = []

    async def handle(job: Job[int]) -> None:
        ran.append(job.data)

    await timed.work(handle)
    await eventually(lambda: ran == [2])


async def test_a_backlog_of_expired_jobs_is_dropped(timed: Yard, clock: SteppedClock, raw: "redis.Redis") -> None:
    queue = timed.queue(concurrency=20, expires_in="1s")
    await queue.add_many([("x", number) for number in range(500)])
    clock.step(1000)
    last = await queue.add("x", "last")
    ran: list[Any] = []

    async def handle(job: Job[Any]) -> None:
        ran.append(job.data)

    await timed.work(handle)
    await last.wait_for_result(25)
    assert ran == ["last"]
    (health,) = await timed.app.health("q")
    assert health.expired_total == 500


async def test_a_failed_job_that_has_expired_is_not_run_again(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue(expires_in="2s")
    runs: list[str] = []

    async def fail(job: Job[Any]) -> None:
        runs.append(job.id)
        raise ValueError("no price")

    await timed.work(fail)
    job, longer = await queue.add("x"), await queue.add("x", expires_in="1h")
    await _until_failed(queue, 2)
    clock.step(2000)
    with pytest.raises(JobStateError, match=r"job 1 of queue 'q' expired at 2027-01-15 08:00:02 UTC"):
        await job.retry(reset_attempts=True)
    assert await queue.retry_all() == 1
    await eventually(lambda: runs == [job.id, longer.id, longer.id])
    await _until_failed(queue, 2)
    assert await job.state() == "failed"


async def test_a_parked_key_whose_job_has_expired_stays_parked(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue(ordered=True, on_poison="park", expires_in="2s")
    ran: list[str] = []

    async def handle(job: Job[str]) -> None:
        ran.append(job.data)
        if job.data == "poison":
            raise ValueError("no price")

    await timed.work(handle)
    head = await queue.add("x", "poison", key="BTC")
    behind = await queue.add("x", "next", key="BTC", expires_in="1h")

    async def is_parked() -> bool:
        return bool(await queue.keys.list("parked"))

    await eventually(is_parked)
    clock.step(2000)
    with pytest.raises(
        JobStateError, match=r"job 1 of queue 'q' expired at .* key 'BTC' stays parked: resume or skip"
    ):
        await queue.keys.replay("BTC")
    assert (await is_parked(), await head.state(), ran) == (True, "failed", ["poison"])
    assert await queue.keys.skip("BTC") == head.id
    await behind.wait_for_result(25)
    assert ran == ["poison", "next"]


async def _until_failed(queue: Queue, number: int) -> None:
    async def are_failed() -> bool:
        return await queue.count("failed") == number

    await eventually(are_failed)

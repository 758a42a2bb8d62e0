"""A job that has begun an effect is not dropped at its expiry: what it did decides how it ends."""

import asyncio
from typing import Any

import pytest
import redis

from stockyard import Hooks, Job, JobFailed, JobState
from stockyard.effects import Applied, EffectRecord, Venue
from stockyard.model.clock import SteppedClock
from tests.support.waiting import eventually
from tests.support.yard import START, Yard


async def lose_the_answer(job: Job[str]) -> None:
    """Begin an effect that may have been applied."""
    async with job.effect(job.data, max_duration="500ms"):
        raise OSError("reset")


async def try_again_late(job: Job[Any], clock: SteppedClock) -> None:
    """Let the next attempt of a job begin after its expiry."""
    await eventually(lambda: _is(job, JobState.DELAYED))
    # Short of its backoff, when the worker would take it by itself.
    clock.step(9_000)
    await job.promote()


async def test_what_was_recorded_is_returned_though_the_retry_comes_after_the_expiry(timed: Yard) -> None:
    placed: list[str] = []
    expired: list[str] = []

    async def submit(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="500ms") as effect:
            placed.append(effect.key)
            effect.record({"id": 5})
        raise ConnectionError("behind the order")

    queue = timed.queue(attempts=3, backoff="200ms", expires_in="100ms")
    await timed.work(submit, hooks=Hooks(expired=lambda job: expired.append(job.id)))
    job = await queue.add("x", "A1")
    await eventually(lambda: _is(job, JobState.DELAYED))
    await job.promote()
    assert await job.wait_for_result(20) == {"id": 5}
    assert (placed, expired) == (["A1"], [])


async def _is(job: Job[Any], state: JobState) -> bool:
    return await job.state() == state


async def test_what_may_have_been_applied_fails_as_unknown(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue(attempts=3, backoff="10s", expires_in="5s", remove_on_fail=False)
    await timed.work(lose_the_answer)
    job = await queue.add("x", "A1")
    await try_again_late(job, clock)
    with pytest.raises(JobFailed, match="OutcomeUnknown: effect A1 may have been applied"):
        await job.wait_for_result(20)
    assert await job.state() == JobState.FAILED


@pytest.mark.parametrize("is_replayed", [True, False])
async def test_a_failed_job_whose_effect_was_settled_is_tried_again_after_its_expiry(
    timed: Yard, clock: SteppedClock, *, is_replayed: bool
) -> None:
    queue = timed.queue(attempts=1, expires_in="5s", ordered=True, on_poison="park", remove_on_fail=False)
    await timed.work(lose_the_answer)
    job = await queue.add("x", "A1", key="BTCUSDT")
    await eventually(lambda: _is(job, JobState.FAILED))
    clock.step(10_000)
    await timed.app.effects.settle("A1", "committed", source="stream", value={"id": 7})
    if is_replayed:
        await queue.keys.replay("BTCUSDT")
    else:
        await job.retry(reset_attempts=True)
    assert await job.wait_for_result(20) == {"id": 7}


@pytest.mark.parametrize("dedup", ["forever", "never"])
async def test_nothing_is_sent_again_after_the_expiry(timed: Yard, clock: SteppedClock, dedup: Any) -> None:
    """Not even to a venue that would ignore it: the first request may have been lost."""
    sent: list[str] = []

    async def submit(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="500ms") as effect:
            sent.append(effect.key)
            raise OSError("reset")

    queue = timed.queue(attempts=3, backoff="10s", expires_in="5s", remove_on_fail=False, venue=Venue(dedup=dedup))
    await timed.work(submit)
    job = await queue.add("x", "A1")
    await try_again_late(job, clock)
    with pytest.raises(JobFailed, match="OutcomeUnknown"):
        await job.wait_for_result(20)
    assert sent == ["A1"]


async def test_what_was_certainly_not_applied_expires(timed: Yard, clock: SteppedClock) -> None:
    async def submit(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="500ms") as effect:
            effect.failed("no funds")
        raise ValueError("again")

    queue = timed.queue(attempts=3, backoff="10s", expires_in="5s", remove_on_fail=False)
    await timed.work(submit)
    job = await queue.add("x", "A1")
    await try_again_late(job, clock)
    with pytest.raises(JobFailed, match="expired: effect A1 was not begun"):
        await job.wait_for_result(20)


async def test_an_answer_after_the_expiry_completes_the_job(timed: Yard, clock: SteppedClock) -> None:
    """And the job is woken by the answer: it does not wait until the venue's settle time is over."""

    async def ask(effect: EffectRecord) -> Applied | None:
        return Applied({"id": 7}) if clock.now >= START + 10_000 else None

    venue = Venue(dedup="never", verify="eventual", settle="1h")
    queue = timed.queue(attempts=5, backoff="10ms", expires_in="5s", venue=venue, on_unknown=ask)
    await timed.work(lose_the_answer)
    job = await queue.add("x", "A1")
    await _learns_that_it_is_unknown(job)
    clock.step(10_000)
    assert await job.wait_for_result(20) == {"id": 7}


async def _learns_that_it_is_unknown(job: Job[Any]) -> None:
    """Let the second attempt of a job find out that it has to wait."""
    await eventually(lambda: _is(job, JobState.DELAYED))
    await job.promote()

    async def waits() -> bool:
        return (await job.refresh()).attempts_started == 2 and await job.state() == JobState.DELAYED

    await eventually(waits)


async def test_a_settled_effect_wakes_the_job_that_waits_for_it(timed: Yard) -> None:
    async def ask(effect: EffectRecord) -> None:
        return None

    venue = Venue(dedup="never", verify="eventual", settle="1h")
    queue = timed.queue(attempts=5, backoff="10ms", ordered=True, venue=venue, on_unknown=ask)
    await timed.work(lose_the_answer)
    job = await queue.add("x", "A1", key="BTCUSDT")
    behind = await queue.add("x", "A2", key="BTCUSDT")
    await _learns_that_it_is_unknown(job)
    await timed.app.effects.settle("A1", "committed", source="stream", value={"id": 7})
    assert await job.wait_for_result(20) == {"id": 7}
    await eventually(lambda: _is(behind, JobState.DELAYED))


async def test_a_job_that_was_lost_where_jobs_run_at_most_once_is_unknown_not_expired(
    timed: Yard, clock: SteppedClock, raw: "redis.Redis", prefix: str
) -> None:
    ran: list[str] = []

    async def submit(job: Job[str]) -> None:
        ran.append(job.id)

    queue = timed.queue(delivery="at_most_once", expires_in="5s", remove_on_fail=False)
    job = await queue.add("x", "A1")
    # As a Node worker's recovery leaves it.
    raw.hset(f"{prefix}:q:{job.id}", mapping={"stc": 1, "ats": 1})
    clock.step(10_000)
    await timed.work(submit)
    with pytest.raises(JobFailed, match="OutcomeUnknown: the job lost its worker"):
        await job.wait_for_result(20)
    assert ran == []
    assert [record.key for record in await timed.app.effects.list()] == [f"job:{job.id}"]


async def test_a_job_that_started_before_and_began_no_effect_expires(
    timed: Yard, clock: SteppedClock, raw: "redis.Redis", prefix: str
) -> None:
    ran: list[str] = []
    queue = timed.queue(expires_in="5s")
    job = await queue.add("x", "A1")
    raw.hset(f"{prefix}:q:{job.id}", mapping={"stc": 1, "ats": 1})
    waiting = asyncio.create_task(job.wait_for_result(20))
    clock.step(10_000)
    await timed.work(lambda job: ran.append(job.id))
    with pytest.raises(JobFailed, match="expired: it was not started again in time"):
        await waiting
    assert ran == []


async def test_a_taken_job_that_has_begun_an_effect_is_handed_out_after_its_expiry(
    timed: Yard, clock: SteppedClock
) -> None:
    queue = timed.queue(attempts=3, backoff="10s", expires_in="5s")
    job = await queue.add("x", "A1")
    worker = timed.app.manual_worker("q")
    taken = await worker.take()
    assert taken is not None
    async with taken.job.effect("A1", max_duration="500ms") as effect:
        effect.record({"id": 5})
    await taken.fail(ConnectionError("behind the order"))
    assert await job.state() == JobState.DELAYED
    clock.step(9_000)
    await job.promote()
    again = await worker.take()
    assert again is not None
    assert again.job.id == job.id
    await again.complete({"id": 5})

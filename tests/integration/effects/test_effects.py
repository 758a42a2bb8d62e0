"""Effects of jobs that workers run: at most once, in the loop, in threads and in child processes."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis

from stockyard import InvalidOption, Job, JobFailed, JobState
from stockyard.effects import (
    Applied,
    EffectNotFound,
    EffectRecord,
    EffectStateError,
    NotApplied,
    Venue,
)
from tests.support import effect_handlers
from tests.support.waiting import eventually
from tests.support.yard import Yard


@pytest.fixture
async def yard(redis_url: str, prefix: str) -> AsyncIterator[Yard]:
    async with Yard(redis_url, prefix) as yard:
        yield yard


@pytest.fixture
def book(raw: "redis.Redis", redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The venue's book: the keys of its orders."""
    monkeypatch.setenv("EFFECTS_URL", redis_url)
    monkeypatch.setenv("EFFECTS_BOOK", f"{prefix}-book")
    return lambda: [key.decode() if isinstance(key, bytes) else key for key in raw.lrange(f"{prefix}-book", 0, -1)]


async def test_a_step_is_done_once_though_its_job_is_tried_again(yard: Yard) -> None:
    placed: list[str] = []

    async def submit(job: Job[str]) -> dict[str, str]:
        async with job.effect(job.data, max_duration="800ms") as effect:
            placed.append(effect.key)
            effect.record({"id": effect.key})
        if job.attempt < 3:
            raise ValueError("behind the effect")
        raise AssertionError("the third attempt does not get here either")

    queue = yard.queue(attempts=3)
    await yard.work(submit)
    job = await queue.add("x", "A1")
    assert await job.wait_for_result(20) == {"id": "A1"}
    assert placed == ["A1"]
    record = await yard.app.effects.get("A1")
    assert record is not None
    assert (record.outcome, record.job_id, record.fence, record.resolved_by) == ("committed", job.id, 1, "worker")


async def test_a_function_is_called_once_and_the_handler_goes_on(yard: Yard, book: Any) -> None:
    async def submit(job: Job[str]) -> list[Any]:
        first = await job.effect(f"{job.data}-1", max_duration="5s").run(effect_handlers.count_placed)
        second = await job.effect(f"{job.data}-2", max_duration="5s").run(effect_handlers.count_placed)
        if job.attempt == 1:
            raise ValueError("behind both")
        return [first, second]

    queue = yard.queue(attempts=2)
    await yard.work(submit)
    job = await queue.add("x", "A1")
    assert await job.wait_for_result(20) == [1, 2]
    assert book() == ["A1-1", "A1-2"]


@pytest.mark.parametrize("executor", ["thread", "process"])
async def test_a_plain_function_does_a_step_once_too(
    yard: Yard, book: Any, executor: str, redis_url: str, prefix: str
) -> None:
    queue = yard.queue(attempts=2)
    where = {"book": [redis_url, f"{prefix}-book"]}
    await yard.work(effect_handlers.place_plain, executor=executor)
    job = await queue.add("x", {**where, "order": "A1", "fails": True})
    assert await job.wait_for_result(30) == {"sent": 1}
    assert book() == ["A1"]
    other = await queue.add("x", {**where, "order": "A2"})
    assert await other.wait_for_result(30) == "done"


async def test_what_is_unknown_fails_the_job_whatever_attempts_remain(yard: Yard) -> None:
    runs: list[int] = []

    async def submit(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="800ms"):
            runs.append(job.attempt)
            raise OSError("connection reset")

    queue = yard.queue(attempts=5)
    await yard.work(submit)
    job = await queue.add("x", "A1")
    with pytest.raises(JobFailed, match="OutcomeUnknown: effect A1 may have been applied by attempt 1"):
        await job.wait_for_result(20)
    assert runs == [1]
    (record,) = await yard.app.effects.list()
    assert (record.key, record.outcome, record.reason) == ("A1", "unknown", "OSError: connection reset")
    (health,) = await yard.app.health("q")
    assert (health.effects_unknown, health.oldest_unknown_effect) == (1, "A1")
    assert health.failed == 1


async def test_what_certainly_failed_is_tried_again(yard: Yard) -> None:
    async def submit(job: Job[str]) -> int:
        async with job.effect(job.data, max_duration="800ms") as effect:
            if job.attempt < 3:
                raise NotApplied("no funds yet")
            effect.record()
        return effect.fence

    queue = yard.queue(attempts=3)
    await yard.work(submit)
    job = await queue.add("x", "A1")
    assert await job.wait_for_result(20) == 3


async def test_a_venue_that_ignores_a_second_request_gets_one(yard: Yard) -> None:
    async def submit(job: Job[str]) -> int:
        async with job.effect(job.data, max_duration="800ms") as effect:
            if job.attempt == 1:
                raise OSError("connection reset")
            effect.record()
        return effect.fence

    queue = yard.queue(attempts=2, venue=Venue(dedup="forever"))
    await yard.work(submit)
    job = await queue.add("x", "A1")
    assert await job.wait_for_result(20) == 2


async def test_a_key_that_was_used_for_something_else_is_an_error(yard: Yard) -> None:
    async def submit(job: Job[dict[str, Any]]) -> None:
        async with job.effect(job.data["key"], max_duration="800ms") as effect:
            effect.record()

    queue = yard.queue(attempts=5)
    await yard.work(submit)
    first = await queue.add("x", {"key": "A1", "quantity": 1})
    await first.wait_for_result(20)
    second = await queue.add("x", {"key": "A1", "quantity": 2})
    with pytest.raises(JobFailed, match="EffectMismatch: effect A1 was begun with another payload by attempt 1"):
        await second.wait_for_result(20)
    third = await queue.add("x", {"quantity": 1, "key": "A1"})
    assert await third.wait_for_result(20) is None


async def test_reconciliation_finds_out_and_the_job_ends_with_it(yard: Yard) -> None:
    asked: list[EffectRecord] = []

    async def ask(effect: EffectRecord) -> Applied:
        asked.append(effect)
        return Applied({"id": 7}, note="found by id")

    async def submit(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="100ms"):
            raise OSError("connection reset")

    queue = yard.queue(attempts=2, venue=Venue(verify="eventual", settle="200ms"), on_unknown=ask)
    await yard.work(submit)
    job = await queue.add("x", "A1")
    assert await job.wait_for_result(25) == {"id": 7}
    record = await yard.app.effects.get("A1")
    assert record is not None
    assert (record.outcome, record.resolved_by, record.note) == ("committed", "reconciler", "found by id")
    assert asked[0].key == "A1"
    assert [(entry["key"], entry["was"], entry["outcome"]) for entry in await yard.app.effects.audit()] == [
        ("A1", "unknown", "committed")
    ]


async def test_not_found_after_the_settle_time_the_step_is_done_once(yard: Yard) -> None:
    placed: list[int] = []

    async def ask(effect: EffectRecord) -> str:
        return "not_applied"

    async def submit(job: Job[str]) -> int:
        async with job.effect(job.data, max_duration="100ms") as effect:
            if job.attempt == 1:
                raise OSError("connection refused, or reset: who knows")
            placed.append(effect.fence)
            effect.record()
        return effect.fence

    queue = yard.queue(attempts=2, venue=Venue(verify="authoritative", settle="300ms"), on_unknown=ask)
    await yard.work(submit)
    job = await queue.add("x", "A1")
    assert await job.wait_for_result(25) == 2
    assert placed == [2]


async def test_an_answer_that_takes_long_is_about_the_time_of_its_question(yard: Yard) -> None:
    questions = 0

    async def ask(effect: EffectRecord) -> str:
        nonlocal questions
        questions += 1
        if questions == 1:
            # Asked before a query proves anything, answered after that.
            await eventually(lambda: time.time() * 1000 > effect.deadline + 3100)
        return "not_applied"

    async def submit(job: Job[str]) -> int:
        async with job.effect(job.data, max_duration="100ms") as effect:
            if job.attempt == 1:
                raise OSError("connection reset")
            effect.record()
        return effect.fence

    queue = yard.queue(attempts=2, venue=Venue(verify="authoritative", settle="3s"), on_unknown=ask)
    await yard.work(submit)
    job = await queue.add("x", "A1")
    assert await job.wait_for_result(30) == 2
    assert questions == 2


async def test_a_reconciliation_that_raises_is_asked_again_and_settles_nothing(yard: Yard) -> None:
    questions: list[int] = []

    async def ask(effect: EffectRecord) -> Any:
        questions.append(effect.times_asked)
        raise OSError("the venue is away")

    async def submit(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="100ms"):
            raise OSError("connection reset")

    queue = yard.queue(venue=Venue(verify="eventual", settle="100ms"), on_unknown=ask)
    await yard.work(submit)
    with pytest.raises(JobFailed):
        await (await queue.add("x", "A1")).wait_for_result(20)
    await eventually(lambda: questions[:2] == [0, 1])
    record = await yard.app.effects.get("A1")
    assert record is not None
    assert record.outcome == "unknown"


async def test_a_stream_settles_while_the_run_is_still_at_it(yard: Yard) -> None:
    is_in, may_end = asyncio.Event(), asyncio.Event()

    async def submit(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="20s"):
            is_in.set()
            await may_end.wait()
            raise OSError("connection reset")

    queue = yard.queue(attempts=2)
    await yard.work(submit)
    job = await queue.add("x", "A1")
    await is_in.wait()
    effects = yard.app.effects
    with pytest.raises(EffectStateError, match="may still be at it"):
        await effects.settle("A1", "failed", source="person (ada)")
    record = await effects.settle("A1", "committed", source="stream", value={"id": 9})
    assert (record.outcome, record.resolved_by) == ("committed", "stream")
    may_end.set()
    assert await job.wait_for_result(20) == {"id": 9}
    with pytest.raises(EffectStateError, match="is committed already, by stream"):
        await effects.settle("A1", "failed", source="person (ada)")


async def test_what_cannot_be_settled_is_refused(yard: Yard) -> None:
    yard.queue()
    with pytest.raises(EffectNotFound, match="no effect 'A1'"):
        await yard.app.effects.settle("A1", "committed", source="stream")
    with pytest.raises(InvalidOption):
        await yard.app.effects.settle("A1", "unknown", source="stream")  # type: ignore[arg-type]
    assert await yard.app.effects.get("A1") is None
    assert await yard.app.effects.list("committed") == []
    with pytest.raises(InvalidOption):
        await yard.app.effects.list("done")


async def test_effects_are_listed_by_outcome(yard: Yard) -> None:
    async def submit(job: Job[str]) -> None:
        async with job.effect(job.id, max_duration="800ms") as effect:
            match job.data:
                case "committed":
                    effect.record()
                case "failed":
                    effect.failed("rejected")
                case _:
                    raise OSError("reset")

    queue = yard.queue()
    await yard.work(submit)
    jobs = [await queue.add("x", outcome) for outcome in ("committed", "failed", "unknown", "committed")]
    await eventually(lambda: _all_ended(jobs))
    effects = yard.app.effects
    assert [record.key for record in await effects.list("committed")] == [jobs[3].id, jobs[0].id]
    assert [record.key for record in await effects.list("committed", count=1)] == [jobs[3].id]
    assert [record.key for record in await effects.list("failed", queue="q")] == [jobs[1].id]
    assert [record.key for record in await effects.list()] == [jobs[2].id]
    assert await effects.list("open") == []


async def test_code_without_a_loop_may_look_and_settle(yard: Yard) -> None:
    async def submit(job: Job[str]) -> None:
        async with job.effect("A1", max_duration="800ms"):
            raise OSError("reset")

    queue = yard.queue()
    await yard.work(submit)
    with pytest.raises(JobFailed):
        await (await queue.add("x", "A1")).wait_for_result(20)

    def settle() -> str:
        (record,) = yard.app.effects.sync.list()
        return yard.app.sync.effects.sync.settle(record.key, "failed", source="person (ada)").outcome

    assert await asyncio.to_thread(settle) == "failed"


async def _all_ended(jobs: list[Job[Any]]) -> bool:
    states = [await job.state() for job in jobs]
    return all(state in (JobState.COMPLETED, JobState.FAILED) for state in states)

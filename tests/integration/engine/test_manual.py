"""Jobs that are taken by hand, and ended later: here, or in another process that has the token."""

import asyncio
from typing import Any

import pytest

from stockyard import (
    Backoff,
    Delay,
    Flow,
    InvalidOption,
    Job,
    JobNotFound,
    JobStateError,
    PayloadError,
    RateLimited,
    UnknownQueue,
    UnrecoverableError,
)
from stockyard.errors import LeaseLost
from stockyard.halts import Breaker
from stockyard.manual import ManualWorker, TakenJob
from stockyard.model.clock import SteppedClock
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def take(manual: ManualWorker, **options: Any) -> TakenJob:
    """Take a job that must be there."""
    taken = await manual.take(**options)
    assert taken is not None
    return taken


async def test_a_job_is_taken_and_completed(yard: Yard) -> None:
    queue = yard.queue()
    manual = yard.app.manual_worker("q", name="bridge")
    assert await manual.take() is None
    job = await queue.add("mail", {"to": "a@b.c"})
    taken = await take(manual)
    assert (taken.job.id, taken.job.name, taken.job.data) == (job.id, "mail", {"to": "a@b.c"})
    assert (taken.job.attempts_started, await job.state()) == (1, "active")
    await taken.complete({"sent": True})
    assert await job.wait_for_result(5) == {"sent": True}
    stored = await job.refresh()
    assert (stored.processed_by, stored.attempts_made) == ("bridge", 1)
    assert (taken.job.return_value, taken.job.attempts_made) == ({"sent": True}, 1)
    assert taken.job.finished_on == stored.finished_on


async def test_jobs_come_by_priority_and_each_once(yard: Yard) -> None:
    queue = yard.queue()
    await queue.add_many([("x", 1, {"priority": 2}), ("x", 2, {"priority": 1}), ("x", 3)])
    manual = yard.app.manual_worker("q")
    assert [(await take(manual)).job.data for _ in range(3)] == [3, 2, 1]
    assert await manual.take() is None


async def test_jobs_of_one_token_are_in_hand_together(yard: Yard) -> None:
    queue = yard.queue()
    await queue.add_many([("x", 1), ("x", 2)])
    manual = yard.app.manual_worker("q")
    first, second = await take(manual, token="mine"), await take(manual, token="mine")
    assert (first.token, second.token) == ("mine", "mine")
    await second.complete(2)
    await first.complete(1)
    assert await queue.count("completed") == 2


async def test_another_process_ends_it_with_the_token(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x", "data")
    taken = await take(yard.app.manual_worker("q"))
    there = await yard.app.manual_worker("q").resume(taken.job.id, taken.token)
    assert there.job.data == "data"
    await there.extend("1m")
    await there.complete("done")
    assert await job.wait_for_result(5) == "done"
    with pytest.raises(JobNotFound):
        await yard.app.manual_worker("q").resume("none", "token")


async def test_only_the_token_of_the_lease_ends_it(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x")
    manual = yard.app.manual_worker("q")
    taken = await take(manual)
    stranger = await manual.resume(job.id, "another")
    with pytest.raises(LeaseLost, match="another worker"):
        await stranger.complete()
    with pytest.raises(LeaseLost):
        await stranger.extend()
    await taken.complete()
    with pytest.raises((JobStateError, LeaseLost)):
        await taken.complete()
    await job.remove()
    with pytest.raises(JobNotFound):
        await taken.fail("too late")


async def test_a_failed_job_is_tried_again_by_its_backoff(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue()
    job = await queue.add("x", attempts=2, backoff=Backoff.fixed("5s"))
    manual = timed.app.manual_worker("q")
    taken = await take(manual)
    assert await taken.fail(ValueError("venue down"))
    assert (taken.job.attempts_made, taken.job.failed_reason) == (1, "ValueError: venue down")
    assert await job.state() == "delayed"
    assert await manual.take() is None
    clock.step(5000)
    taken = await take(manual)
    assert taken.job.attempt == 2
    assert not await taken.fail("still down")
    stored = await job.refresh()
    assert (await job.state(), stored.failed_reason) == ("failed", "still down")
    assert len(stored.stacktrace) == 2


async def test_a_failure_may_forbid_another_attempt(yard: Yard) -> None:
    queue = yard.queue(dont_retry_on=KeyError)
    for error in (UnrecoverableError("no such account"), KeyError("no")):
        job = await queue.add("x", attempts=5)
        taken = await take(yard.app.manual_worker("q"))
        assert not await taken.fail(error)
        assert await job.state() == "failed"


async def test_a_custom_backoff_is_asked(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue()

    async def steps(made: int, kind: str, error: BaseException, job: Job[Any]) -> int:
        assert (kind, str(error), job.data) == ("steps", "no", {})
        return made

    await queue.add("x", attempts=3, backoff=Backoff.custom("steps"))
    manual = timed.app.manual_worker("q", backoff_strategies={"steps": steps})
    taken = await take(manual)
    await taken.fail("no")
    assert taken.job.delay_ms == 1000
    clock.step(1000)
    await (await take(manual)).fail("no")
    clock.step(1999)
    assert await manual.take() is None
    clock.step(1)
    await (await take(manual)).complete()


async def test_a_run_ends_without_using_up_an_attempt(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue()
    job = await queue.add("x")
    manual = timed.app.manual_worker("q")
    await (await take(manual)).requeue()
    await (await take(manual)).delay("3s")
    assert await job.state() == "delayed"
    clock.step(3000)
    assert await (await take(manual)).fail(Delay("1s"))
    clock.step(1000)
    taken = await take(manual)
    assert (taken.job.attempts_made, taken.job.attempts_started) == (0, 4)
    assert await taken.fail(RateLimited("1m"))
    assert await manual.take() is None


async def test_a_parent_waits_for_its_children(yard: Yard) -> None:
    yard.queue()
    yard.queue("parents")
    tree = await yard.app.flows.add(Flow("gather", "parents", children=[Flow("leaf", "q")]))
    manual, parents = yard.app.manual_worker("q"), yard.app.manual_worker("parents")
    assert await parents.take() is None
    await (await take(manual)).complete(7)
    taken = await take(parents)
    assert taken.job.id == tree.job.id
    assert not await taken.wait_for_children()
    await yard.app.queue("q").add("leaf", parent=taken.job)
    with pytest.raises(JobStateError, match="pending dependencies"):
        await taken.complete()
    assert await taken.wait_for_children()
    assert await tree.job.state() == "waiting-children"
    await (await take(manual)).complete(8)
    taken = await take(parents)
    assert sorted((await taken.job.children_values()).values()) == [7, 8]
    await taken.complete()


async def test_a_job_comes_while_it_is_waited_for(yard: Yard) -> None:
    queue = yard.queue()
    manual = yard.app.manual_worker("q", name="bridge")
    waiting = asyncio.create_task(manual.take(wait="50s"))

    async def is_seen() -> bool:
        return [worker.name for worker in await queue.workers()] == ["bridge"]

    await eventually(is_seen)
    await queue.add("x", 1)
    taken = await waiting
    assert taken is not None
    assert taken.job.data == 1
    await queue.add("x", 2)
    assert (await take(manual, wait="50s")).job.data == 2


async def test_a_delayed_job_is_taken_when_it_is_due(yard: Yard) -> None:
    queue = yard.queue()
    await queue.add("x", delay="80ms")
    assert await take(yard.app.manual_worker("q"), wait="50s")


async def test_a_wait_ends_without_a_job(yard: Yard) -> None:
    yard.queue()
    assert await yard.app.manual_worker("q").take(wait="20ms") is None


async def test_a_wait_that_is_cancelled_holds_no_job(yard: Yard) -> None:
    queue = yard.queue()
    manual = yard.app.manual_worker("q", name="bridge")
    waiting = asyncio.create_task(manual.take(wait="50s"))

    async def is_seen() -> bool:
        return bool(await queue.workers())

    await eventually(is_seen)
    waiting.cancel()
    await asyncio.wait([waiting])
    job = await queue.add("x")

    async def is_free() -> bool:
        taken = await manual.take()
        return taken is not None and taken.job.id == job.id

    await eventually(is_free)


async def test_a_lost_lease_is_recovered_by_hand(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x")
    manual = yard.app.manual_worker("q", lock="100ms")
    taken = await take(manual)
    recovered: list[str] = []

    async def is_recovered() -> bool:
        recovered.extend(await manual.recover_stalled())
        return bool(recovered)

    await eventually(is_recovered)
    assert recovered == [job.id]
    with pytest.raises((LeaseLost, JobStateError)):
        await taken.complete()
    assert (await take(manual)).job.stalled_count == 1


async def test_an_extended_lease_is_not_lost(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x")
    manual = yard.app.manual_worker("q", lock="100ms")
    taken = await take(manual)
    await taken.extend("1m")
    looks = 0

    async def was_looked_at() -> bool:
        nonlocal looks
        assert await manual.recover_stalled() == []
        looks += 1
        return looks > 30

    await eventually(was_looked_at)
    await taken.complete()
    assert await job.state() == "completed"


async def test_what_must_not_run_is_ended_on_the_way(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue()
    late = await queue.add("x", expires_in="1s")
    cancelled = await queue.add("x")
    await cancelled.cancel("no need")
    last = await queue.add("x")
    clock.step(2000)
    taken = await take(timed.app.manual_worker("q"))
    assert taken.job.id == last.id
    assert await queue.get_job(late.id) is None
    assert (await cancelled.refresh()).failed_reason == "cancelled: no need"


async def test_the_next_run_of_a_schedule_is_made(timed: Yard, clock: SteppedClock) -> None:
    queue = timed.queue()
    await timed.app.schedules("q").upsert("sync", every="10s", name="sync")
    manual = timed.app.manual_worker("q")
    runs = []
    for _ in range(3):
        clock.step(10_000)
        taken = await take(manual)
        runs.append(taken.job.id)
        await taken.complete()
    assert len(set(runs)) == 3
    assert await queue.count("waiting") + await queue.count("delayed") == 1


async def test_a_pause_and_a_rate_hold(yard: Yard) -> None:
    queue = yard.queue(rate="1/1h")
    await queue.add_many([("x", 1), ("x", 2)])
    manual = yard.app.manual_worker("q")
    await queue.pause()
    assert await manual.take() is None
    await queue.resume()
    await (await take(manual)).complete()
    assert await manual.take() is None
    assert await manual.take(wait="60ms") is None


async def test_a_halt_of_a_key_holds(yard: Yard) -> None:
    queue = yard.queue()
    held = await queue.add("x", key="BTC")
    free = await queue.add("x", key="ETH")
    await yard.app.halt("q", reason="news", by="test", key="BTC")
    manual = yard.app.manual_worker("q")
    assert (await take(manual)).job.id == free.id
    assert await held.state() == "delayed"
    await yard.app.resume("q", by="test", key="BTC")
    assert (await take(manual, wait="50s")).job.id == held.id


async def test_failures_open_the_circuit_breaker_and_a_trial_closes_it(yard: Yard) -> None:
    queue = yard.queue(breaker=Breaker(failures=2, within="1h", reset_after="50ms"), attempts=5)
    await queue.add_many([("x", number) for number in range(3)])
    manual = yard.app.manual_worker("q")
    for _ in range(2):
        await (await take(manual)).fail("venue down")
    tried: list[TakenJob] = []

    async def is_tried() -> bool:
        tried.extend(taken for taken in [await manual.take()] if taken is not None)
        return bool(tried)

    await eventually(is_tried)
    assert await manual.take() is None
    await tried[0].complete()
    assert await manual.take() is not None


async def test_a_queue_with_shards_gives_the_jobs_of_all(yard: Yard) -> None:
    queue = yard.queue(shards=3)
    await queue.add_many([("x", number, {"key": str(number)}) for number in range(12)])
    manual = yard.app.manual_worker("q")
    taken = [await take(manual) for _ in range(12)]
    assert sorted(each.job.data for each in taken) == list(range(12))
    for each in taken:
        await (await manual.resume(each.job.id, each.token)).complete()
    assert await queue.count("completed") == 12
    with pytest.raises(InvalidOption, match="shards"):
        await manual.take(wait="1s")


async def test_a_result_that_is_no_json_changes_nothing(yard: Yard) -> None:
    queue = yard.queue()
    await queue.add("x")
    taken = await take(yard.app.manual_worker("q"))
    with pytest.raises(PayloadError):
        await taken.complete(object())
    with pytest.raises(InvalidOption, match="error"):
        await taken.fail(None)  # type: ignore[arg-type]
    await taken.complete()


async def test_arguments_are_checked(yard: Yard) -> None:
    yard.queue()
    manual = yard.app.manual_worker("q")
    for token in ("", "0", 7):
        with pytest.raises(InvalidOption, match="token"):
            await manual.take(token)  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="wait"):
        await manual.take(wait="soon")
    with pytest.raises(UnknownQueue):
        yard.app.manual_worker("mail")


def test_code_without_a_loop_takes_jobs(redis_url: str, prefix: str) -> None:
    yard = Yard(redis_url, prefix)
    queue = yard.queue()
    try:
        queue.sync.add("x", 1)
        manual = yard.app.manual_worker("q").sync
        taken = manual.take(wait="5s")
        assert taken is not None
        taken.sync.extend()
        taken.sync.complete("done")
        assert queue.sync.count("completed") == 1
    finally:
        yard.app.close()

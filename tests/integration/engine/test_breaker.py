"""Circuit breakers: too many failures halt a queue, one job is tried later, and no attempt is used up."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stockyard import InvalidOption, Job, JobFailed, JobState, UnrecoverableError
from stockyard.effects import NotApplied
from stockyard.halts import Breaker
from stockyard.limits import Limits, Rolling
from tests.support.waiting import eventually
from tests.support.yard import Yard


class Venue:
    """Is down until it is mended."""

    def __init__(self) -> None:
        self.is_up = False
        self.asked: list[str] = []

    async def __call__(self, job: Job[Any]) -> str:
        self.asked.append(job.id)
        if not self.is_up:
            raise ConnectionError("the venue is away")
        return "done"


def breaker(**options: Any) -> Breaker:
    return Breaker(**{"failures": 3, "within": "30s", "reset_after": "300ms", **options})


async def test_it_opens_is_tried_and_closes(yard: Yard) -> None:
    venue = Venue()
    queue = yard.queue(attempts=5, backoff="1h", breaker=breaker(reset_after="1h"))
    await yard.work(venue)
    jobs = [await queue.add("x") for _ in range(5)]
    await eventually(lambda: _is(yard, "open"))
    (health,) = await yard.app.health()
    assert health.halted
    assert health.halt_reason is not None
    assert "3 failures within 30 s, the last: ConnectionError: the venue is away" in health.halt_reason
    assert len(venue.asked) == 3
    # The third opened it, and has used up no attempt.
    assert [(await job.refresh()).attempts_made for job in jobs] == [1, 1, 0, 0, 0]
    (halt,) = await yard.app.halts()
    assert (halt.queues, halt.source) == ("q", "breaker")

    venue.is_up = True
    assert await yard.app.resume("q", by="ada", reason="the venue is back")
    for job in jobs[2:]:
        assert await job.wait_for_result(25) == "done"
    actions = [(each.action, each.queues) for each in await yard.app.halt_audit()]
    assert set(actions) == {("open", "q"), ("close", "q"), ("resume", "q")}


async def _is(yard: Yard, state: str) -> bool:
    return (await yard.app.health())[0].breaker == state


async def test_one_job_is_tried_after_a_while_and_closes_it(yard: Yard) -> None:
    venue = Venue()
    queue = yard.queue(concurrency=1, attempts=9, breaker=breaker(failures=1))
    await yard.work(venue, concurrency=4)
    await yard.work(venue, concurrency=4)
    jobs = [await queue.add("x") for _ in range(8)]
    await eventually(lambda: _has_tried(yard, 2), within=30)
    venue.is_up = True
    for job in jobs:
        assert await job.wait_for_result(25) == "done"
        assert (await job.refresh()).attempts_made == 1
    assert await _is(yard, "closed")
    assert await yard.app.halts() == []


async def _has_tried(yard: Yard, times: int) -> bool:
    audit = await yard.app.halt_audit()
    return sum(each.action == "trial failed" for each in audit) >= times


async def test_one_job_at_a_time_is_tried(yard: Yard) -> None:
    trials, most, go_on = 0, 0, asyncio.Event()
    is_first = True

    async def work(job: Job[Any]) -> None:
        nonlocal trials, most, is_first
        if is_first:
            is_first = False
            raise ConnectionError("away")
        trials += 1
        most = max(most, trials)
        await go_on.wait()
        trials -= 1

    queue = yard.queue(breaker=breaker(failures=1))
    await yard.work(work, concurrency=4)
    jobs = [await queue.add("x")]
    await eventually(lambda: _is(yard, "open"))
    jobs += [await queue.add("x") for _ in range(4)]
    await eventually(lambda: trials == 1)
    await eventually(lambda: _is(yard, "half-open"))
    assert most == 1
    go_on.set()
    for job in jobs:
        await job.wait_for_result(25)


async def test_stale_jobs_use_up_no_look(yard: Yard) -> None:
    venue = Venue()
    stale = 40
    queue = yard.queue(attempts=9, breaker=breaker(failures=1, reset_after="1s"))
    await yard.work(venue, concurrency=1)
    first = await queue.add("x")
    await eventually(lambda: _is(yard, "open"))
    await eventually(lambda: _waits(first))
    await first.remove()
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    expired = await queue.add_many([("x", None, {"expires_at": long_ago})] * stale)
    cancelled = await queue.add_many([("x",)] * stale)
    for job in cancelled:
        await job.cancel()
    # It is behind the stale ones: taken one a second, they would keep it from being tried for 80 s.
    last = await queue.add("x")
    venue.is_up = True
    assert await last.wait_for_result(25) == "done"
    await eventually(lambda: _is(yard, "closed"))
    assert set(venue.asked) == {first.id, last.id}
    for job in (*expired, *cancelled):
        with pytest.raises(JobFailed):
            await job.wait_for_result(25)


async def _waits(job: Job[Any]) -> bool:
    return await job.state() == JobState.WAITING


async def test_errors_that_are_not_chosen_do_not_count(yard: Yard) -> None:
    queue = yard.queue(breaker=breaker(failures=1, on=ConnectionError))

    async def work(job: Job[str]) -> None:
        raise {"value": ValueError, "final": UnrecoverableError, "refused": ConnectionRefusedError}[job.data]

    await yard.work(work)
    for data in ("value", "final"):
        with pytest.raises(JobFailed):
            await (await queue.add("x", data)).wait_for_result(25)
    assert await _is(yard, "closed")
    await queue.add("x", "refused")
    await eventually(lambda: _is(yard, "open"))


async def test_a_trial_begins_its_effect_though_the_queue_is_halted(yard: Yard) -> None:
    is_up = False

    async def submit(job: Job[str]) -> None:
        async with job.effect(job.data, max_duration="5s") as effect:
            if not is_up:
                raise NotApplied("away")
            effect.record("ack")

    queue = yard.queue(attempts=3, breaker=breaker(failures=1))
    await yard.work(submit)
    job = await queue.add("submit", "order-1")
    await eventually(lambda: _is(yard, "open"))
    is_up = True
    await job.wait_for_result(25)
    record = await yard.app.effects.get("order-1")
    assert record is not None
    assert (record.outcome, record.value) == ("committed", "ack")


async def test_a_trial_keeps_to_the_limits_of_its_queue(yard: Yard) -> None:
    venue = Venue()
    limits = Limits("calls", [Rolling("orders", 100, per="1h")])
    queue = yard.queue(attempts=9, limits=limits, breaker=breaker(failures=1))
    await yard.work(venue)
    jobs = [await queue.add("x") for _ in range(3)]
    await eventually(lambda: _has_tried(yard, 1))
    venue.is_up = True
    for job in jobs:
        assert await job.wait_for_result(25) == "done"
    (usage,) = (await yard.app.all_limits.status("calls")).usage
    assert usage.used == len(venue.asked)


@pytest.mark.parametrize("other", [{"shards": 2}, {"version": 1}])
def test_what_it_does_not_go_with_is_refused(yard: Yard, other: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption, match=f"queue 'q' has a breaker and .*{next(iter(other))}"):
        yard.queue(breaker=Breaker(), **other)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"failures": 0}, "failures must be"),
        ({"within": 0}, "within must be"),
        ({"reset_after": "soon"}, "reset_after must be"),
        ({"on": "ConnectionError"}, "on must be exception classes"),
        ({"ignore": [5]}, "ignore must be exception classes"),
    ],
)
def test_a_mistake_is_named(options: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidOption, match=why):
        Breaker(**options)


def test_something_else_is_no_breaker(yard: Yard) -> None:
    with pytest.raises(InvalidOption, match="breaker must be a Breaker"):
        yard.queue(breaker=5)

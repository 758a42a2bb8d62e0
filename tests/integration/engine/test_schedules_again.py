"""Schedules that a program declares at every start: what was made, counted and promoted stays as it is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from stockyard import Job, Schedules
from stockyard.model.clock import SteppedClock
from tests.support.yard import Yard

HOUR = 3_600_000
NOON = int(datetime(2030, 3, 4, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NOON)


@pytest.fixture
async def yard(redis_url: str, prefix: str, clock: SteppedClock) -> AsyncIterator[Yard]:
    async with Yard(redis_url, prefix, clock=clock) as made:
        made.queue(remove_on_complete=False)
        yield made


@pytest.fixture
def schedules(yard: Yard) -> Schedules:
    return yard.app.schedules("q")


async def idle(job: Job[Any]) -> None: ...


async def runs(yard: Yard) -> int:
    return await yard.queue().count("completed")


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_limit_counts_over_restarts(
    yard: Yard, schedules: Schedules, clock: SteppedClock, keeps: bool
) -> None:
    rule: Any = {"every": "1h", "limit": 4, "remove_on_complete": not keeps}
    await yard.work(idle, drain_delay=0.02)
    for _start in range(3):
        await schedules.upsert("s", **rule)
        for _ in range(6):
            clock.step(HOUR)
            nudge = await yard.queue().add("nudge", remove_on_complete=False)
            await nudge.wait_for_result(25)
    ended = await schedules.get("s")
    assert ended is not None
    assert (ended.has_next, ended.runs_made, ended.upcoming(3)) == (False, 4, ())
    assert await yard.queue().count("delayed") == 0


async def test_a_run_that_was_promoted_does_not_come_again(yard: Yard, schedules: Schedules) -> None:
    rule: Any = {"cron": "0 16 * * *", "tz": "UTC", "data": {"of": "day"}}
    await yard.work(idle)
    first = await schedules.upsert("close", **rule)
    run = await yard.queue().get_job(first.next_job_id)
    assert run is not None
    await run.promote()
    await run.wait_for_result(25)
    following = await schedules.get("close")
    assert following is not None
    assert following.next_run == first.next_run + 24 * HOUR
    assert await schedules.upsert("close", **rule) == following
    changed = await schedules.upsert("close", **rule | {"data": {"of": "night"}})
    assert (changed.next_run, changed.data, changed.run_number) == (following.next_run, {"of": "night"}, 2)
    later = await schedules.upsert("close", **rule | {"cron": "0 16,18 * * *"})
    assert later.next_run == first.next_run + 2 * HOUR
    assert await runs(yard) == 1


async def test_an_offset_of_nothing_is_an_offset(schedules: Schedules) -> None:
    for offset, phase in (("5m", 300_000), ("0s", 0), (0, 0)):
        for schedule in (f"at {offset}", "moved"):
            made = await schedules.upsert(schedule, every="1h", offset=offset)
            assert (made.next_run % HOUR, made.timing.offset_ms) == (phase, phase)
    assert (await schedules.upsert("now", every="1h")).next_run == NOON


async def test_an_upsert_beside_a_removal_returns_what_it_made(schedules: Schedules) -> None:
    answers: list[Any] = await asyncio.gather(
        *(call for n in range(300) for call in (schedules.upsert("s", every="1h", data=n), schedules.remove("s")))
    )
    assert [made.data for made in answers[::2]] == list(range(300))

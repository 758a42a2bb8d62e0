"""Schedules that keep to an exchange's calendar, through the whole engine."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis

from stockyard import InvalidOption, Schedules
from stockyard.model.clock import SteppedClock
from tests.integration.engine.test_schedules import (
    Ran,
    found,
    is_pending,
    move,
    run_at,
    ticks,
    work,
    yard_counts,
)
from tests.support.waiting import eventually
from tests.support.yard import Yard


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(new_york("2030-11-26T20:00"))


@pytest.fixture
async def yard(redis_url: str, prefix: str, clock: SteppedClock) -> AsyncIterator[Yard]:
    async with Yard(redis_url, prefix, clock=clock) as made:
        made.queue(remove_on_complete=False, remove_on_fail=False)
        yield made


@pytest.fixture
def schedules(yard: Yard) -> Schedules:
    return yard.app.schedules("q")


def new_york(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).timestamp() * 1000)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (
            {"cron": "0 3 * * *", "tz": "America/New_York", "during": "hours"},
            "no time of the pattern '0 3 . . .', in America/New_York, falls into the trading hours of XNYS",
        ),
        ({"cron": "0 18 * * SUN", "tz": "UTC"}, "falls into the trading days of XNYS"),
        ({"cron": "0 18 * * *", "tz": "UTC", "end": new_york("2030-11-26T21:00")}, "it ends before its first run"),
    ],
)
async def test_a_pattern_that_never_falls_into_the_calendar_is_refused(
    schedules: Schedules, rule: Any, why: str
) -> None:
    with pytest.raises(InvalidOption, match=f"schedule 's' would never run: .*{why}"):
        await schedules.upsert("s", calendar="XNYS", **rule)


async def test_one_run_comes_in_each_session(yard: Yard, schedules: Schedules, clock: SteppedClock) -> None:
    ran = Ran()
    made = await schedules.upsert("s", calendar="XNYS", session="close-5m")
    # Thanksgiving, and the short day after it.
    moments = [new_york(f"2030-11-{each}") for each in ("27T15:55", "29T12:55")]
    assert made.upcoming(2) == tuple(moments)
    assert made.timing == (await found(schedules)).timing
    await work(yard, ran)
    for at, moment in enumerate(moments, 1):
        await move(yard, clock, moment - clock())
        await ticks(ran, at)
    await eventually(partial(is_pending, schedules, new_york("2030-12-02T15:55")))
    assert ran.ids == [run_at(each) for each in moments]
    assert (await schedules.upsert("s", calendar="XNYS", session="close-5m")).runs_made == 3


async def test_a_run_that_a_peer_made_for_a_closed_day_ends_at_once(
    yard: Yard, schedules: Schedules, clock: SteppedClock, redis_url: str, prefix: str
) -> None:
    clock.now = new_york("2030-11-27T20:00")
    thanksgiving = new_york("2030-11-28T18:00")
    ran = Ran()
    await schedules.upsert("s", cron="0 18 * * *", tz="America/New_York")
    with redis.Redis.from_url(redis_url, decode_responses=True) as raw:
        # As a worker on Node leaves them, which knows the pattern alone.
        raw.hset(f"{prefix}:q:repeat:s", "calendar", "XNYS")
        job = f"{prefix}:q:{run_at(thanksgiving)}"
        options = json.loads(str(raw.hget(job, "opts")))
        options["repeat"]["calendar"] = "XNYS"
        raw.hset(job, "opts", json.dumps(options))
    await work(yard, ran)
    await move(yard, clock, thanksgiving - clock())
    await eventually(partial(is_pending, schedules, new_york("2030-11-29T18:00")))
    await eventually(lambda: yard_counts(yard, completed=1))
    assert ran.ids == []
    skipped = await yard.queue().get_job(run_at(thanksgiving))
    assert skipped is not None
    assert await skipped.logs() == ["skipped: the calendar XNYS has no run at its time"]

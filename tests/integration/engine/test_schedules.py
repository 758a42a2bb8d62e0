"""Schedules through the whole engine: ticks, policies, repair, and what happens around a crash."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import redis

from stockyard import Hooks, InvalidOption, Job, JobState, Misfire, Schedule, Schedules, UnknownQueue
from stockyard.errors import ScheduleConflict
from stockyard.model.clock import SteppedClock
from tests.support.waiting import eventually
from tests.support.yard import Yard

SECOND, HOUR = 1000, 3_600_000


@pytest.fixture
def clock() -> SteppedClock:
    """A clock that stands at a full hour ahead of the machine's."""
    return SteppedClock(1_900_000_800_000)


@pytest.fixture
async def yard(redis_url: str, prefix: str, clock: SteppedClock) -> AsyncIterator[Yard]:
    async with Yard(redis_url, prefix, clock=clock) as made:
        made.queue(remove_on_complete=False, remove_on_fail=False)
        yield made


@pytest.fixture
def schedules(yard: Yard) -> Schedules:
    return yard.app.schedules("q")


class Ran:
    """A handler that notes which runs it was given, and may hold them."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, job: Job[Any]) -> None:
        if job.name != "nudge":
            self.ids.append(job.id)
            await self.gate.wait()


def run_at(moment: int, schedule: str = "s") -> str:
    return f"repeat:{schedule}:{moment}"


async def work(yard: Yard, handler: Any, **options: Any) -> None:
    await yard.work(handler, **{"drain_delay": 0.02, "concurrency": 20, **options})


async def move(yard: Yard, clock: SteppedClock, milliseconds: int) -> None:
    """Move the clock, and make workers look at it: they sleep by the server's."""
    clock.step(milliseconds)
    await yard.queue().add("nudge", remove_on_complete=True)


async def ticks(ran: Ran, count: int) -> list[str]:
    await eventually(lambda: len(ran.ids) >= count)
    return ran.ids


async def found(schedules: Schedules, schedule: str = "s") -> Schedule:
    it = await schedules.get(schedule)
    assert it is not None
    return it


async def is_pending(schedules: Schedules, moment: int) -> bool:
    it = await found(schedules)
    return it.next_run == moment and it.has_next


async def test_each_tick_runs_once_however_many_workers(
    yard: Yard, schedules: Schedules, clock: SteppedClock
) -> None:
    ran, begin = Ran(), clock()
    await schedules.upsert("s", every="1s", name="tick", data={"x": 1}, priority=3)
    for _ in range(3):
        await work(yard, ran)
    for count in range(1, 8):
        await ticks(ran, count)
        await eventually(partial(is_pending, schedules, begin + count * SECOND))
        await move(yard, clock, SECOND)
    await eventually(lambda: yard_counts(yard, completed=8))
    assert ran.ids == [run_at(begin + at * SECOND) for at in range(8)]
    assert (await found(schedules)).runs_made == 9


async def yard_counts(yard: Yard, **expected: int) -> bool:
    counts = await yard.queue().counts()
    return all(counts[JobState(name)] == number for name, number in expected.items())


async def test_a_pattern_in_its_zone_until_its_limit(
    yard: Yard, schedules: Schedules, clock: SteppedClock
) -> None:
    clock.now = begin = int(datetime(2030, 3, 30, 12, tzinfo=UTC).timestamp() * 1000)
    ran = Ran()
    made = await schedules.upsert("s", cron="30 2 * * *", tz="Europe/Berlin", limit=3)
    # In the night of 31 March, 02:30 is skipped.
    expected = [datetime(2030, 3, 31, 1, 30, tzinfo=UTC), datetime(2030, 4, 1, 0, 30, tzinfo=UTC)]
    expected.append(datetime(2030, 4, 2, 0, 30, tzinfo=UTC))
    moments = [int(each.timestamp() * 1000) for each in expected]
    assert made.upcoming(9) == tuple(moments) == await schedules.upcoming("s", 9)
    await work(yard, ran)
    for at, moment in enumerate(moments, 1):
        await move(yard, clock, moment - clock())
        await ticks(ran, at)
    await eventually(lambda: yard_counts(yard, completed=3, delayed=0))
    assert ran.ids == [run_at(each) for each in moments]
    ended = await found(schedules)
    assert (ended.next_run, ended.has_next, ended.upcoming(5)) == (moments[-1], False, ())
    assert begin < moments[0]
    assert await schedules.remove("s")
    assert await schedules.count() == 0


@pytest.mark.parametrize(
    ("misfire", "expected"),
    [("run_once", [0, 10]), ("skip", [10]), ("run_all", list(range(11)))],
)
async def test_what_was_missed(
    yard: Yard, schedules: Schedules, clock: SteppedClock, misfire: Misfire, expected: list[int]
) -> None:
    begin, ran = clock(), Ran()
    await schedules.upsert("s", every="1m", misfire=misfire)
    clock.step(9 * 60 * SECOND + 30 * SECOND)
    await work(yard, ran)
    if misfire != "run_all":
        await eventually(lambda: is_pending(schedules, begin + 600 * SECOND))
        # The next run is made before the missed one ends, which looks at the clock.
        await eventually(lambda: yard_counts(yard, completed=1))
    await move(yard, clock, 30 * SECOND)
    await ticks(ran, len(expected))
    await eventually(lambda: is_pending(schedules, begin + 660 * SECOND))
    await eventually(lambda: yard_counts(yard, completed=11 if misfire == "run_all" else 2))
    assert ran.ids == [run_at(begin + at * 60 * SECOND) for at in expected]
    if misfire == "skip":
        skipped = await yard.queue().get_job(run_at(begin))
        assert skipped is not None
        assert skipped.return_value is None
        assert await skipped.logs() == ["skipped: it was due 570.0 s ago (misfire='skip')"]


async def test_a_late_retry_is_no_missed_run(yard: Yard, schedules: Schedules, clock: SteppedClock) -> None:
    tries = 0

    async def fail_first(job: Job[Any]) -> int:
        nonlocal tries
        if job.name == "nudge":
            return 0
        tries += 1
        if tries == 1:
            raise RuntimeError("no")
        return tries

    begin = clock()
    await schedules.upsert("s", every="1h", misfire="skip", attempts=2, backoff="5m")
    await work(yard, fail_first)
    await eventually(lambda: yard_counts(yard, delayed=2))
    await move(yard, clock, 5 * 60 * SECOND)
    await eventually(lambda: yard_counts(yard, completed=1))
    job = await yard.queue().get_job(run_at(begin))
    assert job is not None
    assert job.return_value == 2


async def test_a_run_that_would_overlap_ends_at_once(
    yard: Yard, schedules: Schedules, clock: SteppedClock
) -> None:
    begin, ran = clock(), Ran()
    ran.gate.clear()
    await schedules.upsert("s", every="1s", overlap="skip")
    await schedules.upsert("t", every="1s")
    await work(yard, ran)
    await work(yard, ran)
    await ticks(ran, 2)
    await eventually(lambda: is_pending(schedules, begin + SECOND))
    await move(yard, clock, SECOND)
    await eventually(lambda: yard_counts(yard, completed=1, active=3))
    assert sorted(ran.ids) == [run_at(begin), run_at(begin, "t"), run_at(begin + SECOND, "t")]
    skipped = await yard.queue().get_job(run_at(begin + SECOND))
    assert skipped is not None
    assert await skipped.logs() == [
        f"skipped: run {run_at(begin)} of the same schedule is still going on (overlap='skip')"
    ]
    ran.gate.set()
    await eventually(lambda: yard_counts(yard, completed=4))
    await move(yard, clock, SECOND)
    await ticks(ran, 5)
    assert run_at(begin + 2 * SECOND) in ran.ids


async def test_ordinary_jobs_do_not_wait_for_schedules(
    yard: Yard, schedules: Schedules, clock: SteppedClock
) -> None:
    ran = Ran()
    await schedules.upsert("s", every="1h")
    jobs = await yard.queue().add_many([("plain", at) for at in range(5)])
    await work(yard, ran)
    assert sorted(await ticks(ran, 6)) == sorted([*(job.id for job in jobs), run_at(clock())])


async def test_a_run_whose_rule_is_broken_fails_and_the_schedule_is_repaired(
    yard: Yard, schedules: Schedules, clock: SteppedClock, raw: "redis.Redis", prefix: str, caplog: Any
) -> None:
    begin, ran, repaired = clock(), Ran(), list[tuple[str, str]]()
    await schedules.upsert("s", every="1h")
    raw.hset(f"{prefix}:q:{run_at(begin)}", "opts", '{"repeat":{"every":"often"}}')
    hooks = Hooks(schedule_repaired=lambda *told: repaired.append(told))
    with caplog.at_level(logging.ERROR, "stockyard"):
        await work(yard, ran, hooks=hooks, stalled_interval=0.05)
        await eventually(lambda: yard_counts(yard, failed=1))
        failed = await yard.queue().get_job(run_at(begin))
        assert failed is not None
        assert "opts.repeat cannot be read" in (failed.failed_reason or "")
        following = run_at(begin + HOUR)
        await eventually(lambda: repaired == [("s", following)])
    assert f"restored: {following}" in caplog.text
    assert await is_pending(schedules, begin + HOUR)
    await move(yard, clock, HOUR)
    await ticks(ran, 1)
    assert ran.ids == [following]
    events = [fields for _, fields in raw.xrange(f"{prefix}:q:events") or ()]
    assert {"event": "schedule-repaired", "jobId": following, "scheduleId": "s"} in events


async def test_a_run_that_was_deleted_by_hand_is_made_again(
    yard: Yard, schedules: Schedules, clock: SteppedClock, raw: "redis.Redis", prefix: str
) -> None:
    begin, ran = clock(), Ran()
    due = begin + HOUR
    await schedules.upsert("s", every="1h", start=due)
    raw.delete(f"{prefix}:q:{run_at(due)}", f"{prefix}:q:delayed")
    await work(yard, ran, stalled_interval=0.05)
    await work(yard, ran, stalled_interval=0.05)
    await eventually(lambda: is_pending(schedules, due))
    await move(yard, clock, HOUR)
    assert await ticks(ran, 1) == [run_at(due)]


async def test_a_run_taken_by_a_worker_that_died_before_it_advanced(
    yard: Yard, schedules: Schedules, clock: SteppedClock, raw: "redis.Redis", prefix: str
) -> None:
    begin, ran, base = clock(), Ran(), f"{prefix}:q:"
    await schedules.upsert("s", every="1h")
    # As a dead worker leaves it: active, its lock run out.
    raw.rpoplpush(base + "wait", base + "active")
    raw.hset(base + run_at(begin), mapping={"ats": 1, "processedOn": begin})
    await work(yard, ran, stalled_interval=0.05)
    assert await ticks(ran, 1) == [run_at(begin)]
    await eventually(lambda: is_pending(schedules, begin + HOUR))


async def test_a_queue_that_is_paused_keeps_one_run_waiting(
    yard: Yard, schedules: Schedules, clock: SteppedClock, raw: "redis.Redis", prefix: str
) -> None:
    begin, ran = clock(), Ran()
    raw.hset(f"{prefix}:q:meta", "paused", 1)
    for name in ("a", "b"):
        await schedules.upsert("s", every="1h", name=name)
    await work(yard, ran)
    clock.step(3 * HOUR + 1)
    raw.hdel(f"{prefix}:q:meta", "paused")
    raw.zadd(f"{prefix}:q:marker", {"0": 0})
    assert await ticks(ran, 1) == [run_at(begin)]
    await eventually(lambda: is_pending(schedules, begin + 4 * HOUR))


async def test_it_is_the_same_said_twice(schedules: Schedules, clock: SteppedClock) -> None:
    arguments: dict[str, Any] = {"every": "1h", "start": datetime(2031, 1, 1, tzinfo=UTC), "data": [1]}
    first = await schedules.upsert("a:b", **arguments)
    assert await schedules.upsert("a:b", **arguments) == first
    assert await schedules.list() == (first,)
    assert first.next_run == 1_924_992_000_000
    assert (first.queue, first.job_name, first.data, first.timing.every_ms) == ("q", "a:b", [1], HOUR)


async def test_a_pattern_all_of_whose_next_times_are_taken_is_refused(
    yard: Yard, schedules: Schedules, raw: "redis.Redis", prefix: str
) -> None:
    made = await schedules.upsert("s", cron="0 0 1 1 *", tz="UTC")
    for moment in made.upcoming(4):
        raw.hset(f"{prefix}:q:{run_at(moment)}", "name", "other")
    raw.delete(f"{prefix}:q:delayed")
    with pytest.raises(ScheduleConflict, match="its next runs exist") as caught:
        await schedules.upsert("s", cron="0 0 1 1 *", tz="UTC", data=1)
    assert caught.value.schedule_id == "s"
    assert repr(run_at(made.next_run)) in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "either every or cron"),
        ({"every": 1, "cron": "* * * * *"}, "either every or cron"),
        ({"every": 0}, "every must be 1 ms"),
        ({"every": "often"}, "every must be a duration"),
        ({"every": 1, "tz": "UTC"}, "tz belongs to a cron"),
        ({"every": 1, "offset": 1}, "shorter"),
        ({"cron": "* * * * *", "offset": 1}, "offset belongs to every"),
        ({"cron": "61 * * * *"}, "minute"),
        ({"cron": 7}, "pattern as text"),
        ({"cron": "* * * * *", "tz": "Moon"}, "IANA"),
        ({"every": 1, "limit": 0}, "limit"),
        ({"every": 1, "immediately": True}, "immediately"),
        ({"every": 1, "start": datetime(2030, 1, 1)}, "datetime with a zone"),
        ({"every": 1, "end": 5}, "would never run: it ends before its first run"),
        (
            {"cron": "0 0 1 1 *", "tz": "UTC", "end": 1_900_000_900_000},
            "would never run: it ends before its first run",
        ),
        ({"cron": "0 0 30 2 *", "tz": "UTC"}, "cron pattern '0 0 30 2 .' never comes"),
        ({"calendar": "XNYS"}, "calendar belongs to a cron pattern or a session; got calendar='XNYS' alone"),
        ({"every": 1, "misfire": "explode"}, "misfire must be one of 'run_once', 'skip', 'run_all'"),
        ({"every": 1, "overlap": True}, "overlap must be one of"),
        ({"every": 1, "delay": 1}, "decides delay"),
        ({"every": 1, "job_id": "x"}, "decides job_id"),
        ({"every": 1, "name": ""}, "name must be"),
        ({"every": 1, "attempts": -1}, "attempts"),
        ({"every": 1, "colour": 1}, "unknown option 'colour'"),
        ({"evry": 1}, "unknown option 'evry' of schedule 's'; did you mean 'every'"),
    ],
)
async def test_a_wrong_argument_changes_nothing(schedules: Schedules, arguments: Any, said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        await schedules.upsert("s", **arguments)
    assert await schedules.count() == 0


@pytest.mark.parametrize("wrong", ["", 7, "s:1900000000000", "x" * 201, "\ud800"])
async def test_a_wrong_id_is_refused(schedules: Schedules, wrong: Any) -> None:
    with pytest.raises(InvalidOption, match="schedule's id"):
        await schedules.upsert(wrong, every=1)


def test_code_without_a_loop_uses_them_too(redis_url: str, prefix: str) -> None:
    yard = Yard(redis_url, prefix)
    yard.queue()
    schedules = yard.app.schedules("q").sync
    made = schedules.upsert("s", cron="@daily", tz="UTC", immediately=True)
    assert (made.has_next, schedules.count(), schedules.remove("s"), schedules.remove("s")) == (
        True,
        1,
        True,
        False,
    )
    with pytest.raises(UnknownQueue):
        yard.app.schedules("nobody")
    yard.app.close()


async def test_the_options_of_the_queue_are_those_of_the_runs(
    redis_url: str, prefix: str, raw: "redis.Redis"
) -> None:
    async with Yard(redis_url, prefix) as yard:
        yard.queue(attempts=4, backoff="2s", priority=7, remove_on_complete=5)
        made = await yard.app.schedules("q").upsert("s", every="1h", priority=1)
        job = await yard.queue().get_job(made.next_job_id)
        assert job is not None
        assert (job.options.attempts, job.priority, job.options.remove_on_complete) == (
            4,
            1,
            made.options.remove_on_complete,
        )
        assert json.loads(raw.hget(f"{prefix}:q:repeat:s", "opts") or "")["attempts"] == 4


async def test_a_run_knows_its_number_and_its_schedule(
    yard: Yard, schedules: Schedules, clock: SteppedClock
) -> None:
    await schedules.upsert("sync:all", every="1h")
    seen: list[tuple[str | None, int | None]] = []

    async def note(job: Job[Any]) -> None:
        seen.append((job.schedule_id, job.run_number))

    async def saw(run: tuple[str | None, int | None]) -> None:
        await eventually(lambda: run in seen)

    await yard.work(note, drain_delay=0.02)
    for number in range(1, 4):
        await saw(("sync:all", number))
        clock.step(HOUR)
        # The worker does not see that the clock was moved until it is woken.
        await yard.app.queue("q").add("nudge")
    await saw((None, None))
    assert [run for run in seen if run[0]][:3] == [("sync:all", number) for number in (1, 2, 3)]

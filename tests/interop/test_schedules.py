"""Schedules across the languages: made by one and worked by the other, and by both at once."""

import asyncio
import time
from itertools import pairwise
from typing import Any

import pytest
import redis

from stockyard import App, Job, JobStateError, Queue
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts, is_in
from tests.support.waiting import eventually

EVERY = 200
HOUR = 3_600_000


async def moments(queue: NodeObject, state: str = "completed") -> list[int]:
    """Times of the runs in a state, in the order of their ids."""
    jobs = await queue.getJobs([state])
    return sorted(int(job["id"].rpartition(":")[2]) for job in jobs if job["id"].startswith("repeat:s:"))


async def runs(queue: NodeObject) -> list[tuple[int, int]]:
    """Time of each completed run, and when its job was made."""
    jobs = await queue.getJobs(["completed"])
    return sorted(
        (int(job["id"].rpartition(":")[2]), job["timestamp"]) for job in jobs if job["id"].startswith("repeat:s:")
    )


def is_grid(ran: list[tuple[int, int]], every: int = EVERY) -> bool:
    """Whether the next run of the grid follows each, or the first that was left when that one was made late."""
    return all(
        later - earlier == every or (later > earlier and (later - earlier) % every == 0 and made >= later - every)
        for (earlier, _), (later, made) in pairwise(ran)
    )


def test_a_grid_with_a_hole_is_found() -> None:
    assert is_grid([(0, 0), (EVERY, 1), (2 * EVERY, EVERY)])
    assert is_grid([(0, 0), (2 * EVERY, EVERY)])
    assert not is_grid([(0, 0), (2 * EVERY, EVERY - 1)])
    assert not is_grid([(0, 0), (EVERY - 1, 1)])
    assert not is_grid([(0, 0), (0, 0)])


async def pending(queue: NodeObject) -> int:
    """Runs that are still to come."""
    counts = await queue.getJobCounts("delayed", "waiting", "prioritized", "active")
    return sum(counts.values())


async def has_run(queue: NodeObject, times: int) -> bool:
    return len(await moments(queue)) >= times


async def test_node_makes_it_and_we_work_it(queue: NodeObject, work: Work) -> None:
    made = await queue.upsertJobScheduler("s", {"every": EVERY}, {"name": "echo", "data": {"x": [1]}})
    async with work(drain_delay=0.1):
        await eventually(lambda: has_run(queue, 6))
    # An exact grid, and one run that is still to come.
    ran = await moments(queue)
    assert ran[0] == int(made["id"].rpartition(":")[2])
    assert is_grid(await runs(queue))
    assert await pending(queue) == 1
    scheduler = await queue.getJobScheduler("s")
    assert scheduler["next"] == ran[-1] + EVERY
    assert scheduler["iterationCount"] == len(ran) + 1
    assert all(job["returnvalue"] == {"x": [1]} for job in await queue.getJobs(["completed"]))
    (following,) = await queue.getJobs(["delayed", "waiting"])
    assert following["opts"]["repeat"]["count"] == len(ran) + 1


async def test_we_make_it_and_node_works_it(node: NodePeer, queue: NodeObject, app: App) -> None:
    made = await app.schedules("q").upsert("s", every=EVERY / 1000, name="echo", data={"x": [1]})
    worker = await node.worker("q")
    await eventually(lambda: has_run(queue, 6))
    await worker.close()
    ran = await moments(queue)
    assert ran[0] == made.next_run
    assert is_grid(await runs(queue))
    assert await pending(queue) == 1
    found = await app.schedules("q").get("s")
    assert found is not None
    assert (found.next_run, found.runs_made, found.has_next) == (ran[-1] + EVERY, len(ran) + 1, True)
    assert found.run_number == len(ran) + 1


async def test_a_pattern_with_a_zone_and_a_limit_runs_three_times_on_either_side(
    node: NodePeer, queue: NodeObject, app: App, work: Work
) -> None:
    made = await app.schedules("q").upsert("s", cron="* * * * * *", tz="Asia/Kolkata", limit=3, name="nothing")
    worker = await node.worker("q")
    await eventually(lambda: has_run(queue, 3))
    await worker.close()
    ran = await moments(queue)
    assert (ran[0], [each % 1000 for each in ran]) == (made.next_run, [0, 0, 0])
    assert is_grid(await runs(queue), 1000)
    assert await pending(queue) == 0

    await queue.upsertJobScheduler(
        "s", {"pattern": "*/1 * * * * *", "tz": "Asia/Kolkata", "limit": 3}, {"name": "nothing"}
    )
    async with work(drain_delay=0.1):
        await eventually(lambda: has_run(queue, 6))
    assert await pending(queue) == 0
    assert is_grid((await runs(queue))[3:], 1000)


async def test_a_mixed_fleet_runs_each_tick_once(node: NodePeer, queue: NodeObject, work: Work) -> None:
    await queue.upsertJobScheduler("s", {"every": EVERY}, {"name": "nothing"})
    workers = [await node.worker("q", drainDelay=1, name="node") for _ in range(2)]
    async with work(drain_delay=0.1, name="ours"), work(drain_delay=0.1, name="ours"):
        await eventually(lambda: has_run(queue, 20))
        await eventually(lambda: is_worked_by_both(queue))
    for worker in workers:
        await worker.close()
    assert is_grid(await runs(queue))
    assert await pending(queue) == 1
    assert {job["attemptsStarted"] for job in await queue.getJobs(["completed"])} == {1}


async def test_an_interval_that_node_was_given_as_text_goes_on(queue: NodeObject, work: Work) -> None:
    await queue.upsertJobScheduler("s", {"every": str(HOUR), "limit": "2"}, {"name": "echo"})
    async with work():
        await eventually(lambda: has_counts(queue, completed=1, delayed=1))
    (following,) = await queue.getJobs(["delayed"])
    assert following["opts"]["repeat"]["count"] == 2


async def is_worked_by_both(queue: NodeObject) -> bool:
    return {job["processedBy"] for job in await queue.getJobs(["completed"])} == {"node", "ours"}


async def test_either_side_lists_changes_and_removes_what_the_other_made(
    queue: NodeObject, app: App, ours: Queue
) -> None:
    schedules = app.schedules("q")
    await schedules.upsert("a:b", every="1h", offset="5m", data=[1], attempts=3)
    await queue.upsertJobScheduler("c", {"pattern": "0 3 * * *", "tz": "Europe/Berlin"}, {"data": {"y": 1}})
    by_node = {each["key"]: each for each in await queue.getJobSchedulers()}
    assert by_node["a:b"]["template"] == {"data": [1], "opts": {"attempts": 3}}
    assert (by_node["a:b"]["every"], by_node["a:b"]["offset"]) == (HOUR, 300_000)
    by_us = {each.id: each for each in await schedules.list()}
    assert {name: each.next_run for name, each in by_us.items()} == {
        name: each["next"] for name, each in by_node.items()
    }
    assert (by_us["c"].timing.cron, by_us["c"].timing.tz, by_us["c"].data) == (
        "0 3 * * *",
        "Europe/Berlin",
        {"y": 1},
    )
    # The page of Bull Board reads the next run's own record.
    assert await queue.getJob(by_us["a:b"].next_job_id) is not None

    await schedules.upsert("c", every="2h", start=by_us["c"].next_run)
    assert (await queue.getJobScheduler("c"))["every"] == 2 * HOUR
    await queue.upsertJobScheduler("a:b", {"every": HOUR, "offset": 300_000})
    assert (await schedules.list())[0].data == {}
    for job_id in (by_us["a:b"].next_job_id, by_us["c"].next_job_id):
        job = await ours.get_job(job_id)
        assert job is not None
        with pytest.raises(JobStateError, match="next run of a schedule"):
            await job.remove()
    assert await queue.removeJobScheduler("a:b")
    assert await schedules.remove("c")
    assert (await pending(queue), await schedules.count(), await queue.getJobSchedulersCount()) == (0, 0, 0)


async def test_our_policies_hold_until_node_writes_the_schedule(queue: NodeObject, app: App) -> None:
    schedules = app.schedules("q")
    assert (await schedules.upsert("s", every="1h", misfire="skip", overlap="skip")).misfire == "skip"
    await queue.upsertJobScheduler("s", {"every": HOUR})
    (found,) = await schedules.list()
    assert (found.misfire, found.overlap) == ("run_once", "allow")


async def test_a_run_that_a_node_worker_left_behind_is_worked_and_followed(
    node: NodePeer, queue: NodeObject, work: Work, raw: "redis.Redis", prefix: str
) -> None:
    await queue.upsertJobScheduler("s", {"every": HOUR}, {"name": "nothing"})
    (run,) = await queue.getJobs(["waiting"])
    worker = await node.worker("q", autorun=False)
    await worker.getNextJob("token:0")
    raw.delete(f"{prefix}:q:{run['id']}:lock")
    async with work(stalled_interval=0.05):
        await eventually(lambda: is_in(queue, "completed", run["id"]))
    assert await pending(queue) == 1


async def test_a_run_without_a_rule_stands_still_on_node_and_fails_on_ours(
    node: NodePeer, queue: NodeObject, work: Work, raw: "redis.Redis", prefix: str
) -> None:
    await queue.upsertJobScheduler("s", {"every": HOUR}, {"name": "nothing"})
    (run,) = await queue.getJobs(["waiting"])
    raw.hset(f"{prefix}:q:{run['id']}", "opts", '{"attempts":1}')
    worker = await node.worker("q", lockDuration=1000, stalledInterval=500)
    await eventually(lambda: has_errors(worker))
    assert await queue.getJobState(run["id"]) == "active"
    await worker.close()
    raw.delete(f"{prefix}:q:{run['id']}:lock")
    async with work(stalled_interval=0.1):
        await eventually(lambda: is_in(queue, "failed", run["id"]))
        # Nothing would follow: the safety net makes the next run, and Node's listener is told.
        await eventually(lambda: has_counts(queue, delayed=1))
    events = await node.events("q")
    await eventually(lambda: was_told(events, "schedule-repaired"))


async def has_errors(worker: NodeObject) -> bool:
    return bool(await worker.read("errors"))


async def was_told(events: NodeObject, name: str) -> bool:
    return name in [told for told, _ in await events.read("events")]


async def test_a_repeatable_job_of_bullmq_5_is_shown_and_goes_on(
    queue: NodeObject, app: App, work: Work, raw: "redis.Redis", prefix: str
) -> None:
    base, key = f"{prefix}:q:", "nothing:::UTC:* * * * * *"
    now = int(time.time() * 1000)
    run = f"repeat:0cc175b9c0f1b6a831c399e269772661:{now}"
    raw.zadd(base + "repeat", {key: now})
    raw.hset(
        base + run,
        mapping={
            "name": "nothing", "data": '{"x":1}', "timestamp": now, "delay": 0, "priority": 0, "rjk": key,
            "opts": f'{{"repeat":{{"pattern":"* * * * * *","tz":"UTC","count":1}},"prevMillis":{now}}}',
        },
    )  # fmt: skip
    raw.lpush(base + "wait", run)
    assert [(each.id, each.is_legacy) for each in await app.schedules("q").list()] == [(key, True)]
    ran: list[Any] = []

    async def note(job: Job[Any]) -> None:
        ran.append((job.name, job.data))

    async with work(note, drain_delay=0.1, stalled_interval=0.05):
        await eventually(lambda: len(ran) >= 3)
    assert ran[:3] == [("nothing", {"x": 1})] * 3
    assert raw.exists(f"{base}repeat:{key}") == 0


async def test_two_sides_that_say_the_same_schedule_at_once_leave_one_run(queue: NodeObject, app: App) -> None:
    schedules = app.schedules("q")
    for _ in range(5):
        await asyncio.gather(
            *(schedules.upsert("s", every="1h", name="nothing") for _ in range(5)),
            *(queue.upsertJobScheduler("s", {"every": HOUR}, {"name": "nothing"}) for _ in range(5)),
        )
    assert await pending(queue) == 1


async def test_a_run_of_a_schedule_of_node_knows_its_number(queue: NodeObject, work: Work) -> None:
    seen: list[tuple[str | None, int | None]] = []

    async def note(job: Job[Any]) -> None:
        seen.append((job.schedule_id, job.run_number))

    await queue.upsertJobScheduler("s", {"every": 50}, {"name": "nothing"})
    async with work(note, drain_delay=0.02):
        await eventually(lambda: len(seen) >= 3)
    assert seen[:3] == [("s", number) for number in (1, 2, 3)]

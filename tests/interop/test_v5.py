"""What bullmq 5 writes is read by us, and what a fleet of 5 and 6 must not do.

That its paused list is drained in order is shown by test_administration.py.
"""

from typing import Any

import pytest
import redis

from stockyard import Flow, JobState, Queue
from stockyard.app import App
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts, is_in, names_of
from tests.support.waiting import eventually

HOUR = 3_600_000


@pytest.fixture
async def of_old(node5: NodePeer) -> NodeObject:
    """A ``Queue`` named ``q`` of bullmq 5."""
    return await node5.queue("q")


async def test_its_jobs_are_run_by_us_and_ours_by_it(
    node5: NodePeer, of_old: NodeObject, ours: Queue, work: Work
) -> None:
    theirs = await of_old.add("echo", {"n": 1}, {"attempts": 2, "priority": 3})
    async with work():
        await eventually(lambda: is_in(of_old, "completed", theirs["id"]))
    assert (await of_old.getJob(theirs["id"]))["returnvalue"] == {"n": 1}
    worker = await node5.worker("q")
    mine = await ours.add("echo", {"n": 2}, priority=3)
    assert await mine.wait_for_result(5) == {"n": 2}
    assert await worker.read("errors") == []


async def test_what_it_set_aside_counts_as_waiting(of_old: NodeObject, ours: Queue, work: Work) -> None:
    first = await of_old.add("echo", 1)
    await of_old.pause()
    job = await ours.get_job(first["id"])
    assert job is not None
    assert await job.state() == JobState.WAITING
    assert [each.id for each in await ours.get_jobs("waiting")] == [first["id"]]
    async with work():
        mine = await ours.add("echo", 2)
        assert await mine.state() == JobState.WAITING
        await ours.resume()
        assert await mine.wait_for_result(5) == 2
        assert await job.wait_for_result(5) == 1


async def test_its_resume_loses_what_6_and_we_added(
    of_old: NodeObject, ours: Queue, raw: "redis.Redis", prefix: str
) -> None:
    """So resume with anything but 5 where 5 paused: this is why the documentation forbids it."""
    await of_old.add("echo", 1)
    await of_old.pause()
    mine = await ours.add("echo", 2)
    await of_old.resume()
    assert raw.lrange(f"{prefix}:q:wait", 0, -1) == ["1"]
    assert await mine.state() == JobState.UNKNOWN


async def test_our_pause_holds_it(node5: NodePeer, of_old: NodeObject, ours: Queue) -> None:
    await ours.pause()
    await ours.add("echo", 1)
    assert await of_old.isPaused()
    await node5.worker("q")
    second = await of_old.add("echo", 2)
    assert await has_counts(of_old, active=0, completed=0)
    await ours.resume()
    await eventually(lambda: has_counts(of_old, completed=2))
    assert await is_in(of_old, "completed", second["id"])


@pytest.mark.parametrize("option", ["debounce", "deduplication"])
async def test_its_debounced_jobs_are_deduplicated_by_us(
    events: NodeObject, of_old: NodeObject, ours: Queue, work: Work, option: str
) -> None:
    theirs = await of_old.add("echo", 1, {option: {"id": "same"}})
    assert (await ours.add("echo", 2, deduplication="same")).id == theirs["id"]
    await of_old.add("echo", 3, {option: {"id": "same"}})
    await eventually(lambda: _has_told(events, "debounced", 1))
    async with work():
        await eventually(lambda: is_in(of_old, "completed", theirs["id"]))
    # Its end frees the id.
    assert (await ours.add("echo", 4, deduplication="same")).id != theirs["id"]


async def test_its_schedulers_are_run_by_us(of_old: NodeObject, app: App, work: Work) -> None:
    await of_old.upsertJobScheduler("s", {"every": 200, "limit": 3}, {"name": "echo", "data": {"n": 1}})
    async with work():
        await eventually(lambda: has_counts(of_old, completed=3, delayed=0))
    assert [job["data"] for job in await of_old.getJobs(["completed"])] == [{"n": 1}] * 3
    (schedule,) = await app.schedules("q").list()
    assert (schedule.id, schedule.is_legacy) == ("s", False)


@pytest.mark.parametrize("repeat", [{"every": 200}, {"pattern": "* * * * * *", "tz": "UTC"}])
async def test_its_repeatable_jobs_go_on_with_us(
    of_old: NodeObject, app: App, work: Work, repeat: dict[str, Any]
) -> None:
    await of_old.add("echo", {"n": 1}, {"repeat": repeat})
    async with work():
        await eventually(lambda: _has_completed(of_old, 3))
    done = await of_old.getJobs(["completed"])
    assert [job["data"] for job in done] == [{"n": 1}] * len(done)
    assert len(await app.schedules("q").list()) == 1


async def test_our_schedule_is_run_by_it(node5: NodePeer, of_old: NodeObject, app: App) -> None:
    await app.schedules("q").upsert("s", every=0.2, limit=3, name="echo", data={"n": 1})
    await node5.worker("q")
    await eventually(lambda: has_counts(of_old, completed=3, delayed=0))
    assert (await of_old.getJobScheduler("s"))["every"] == 200


async def test_flows_cross_between_us(node5: NodePeer, of_old: NodeObject, app: App, work: Work) -> None:
    flows = await node5.flows()
    theirs = await flows.add(
        {"name": "gather", "queueName": "q", "children": [{"name": "echo", "queueName": "q", "data": 1}]}
    )
    parent = theirs["job"]["id"]
    async with work():
        await eventually(lambda: is_in(of_old, "completed", parent))
    assert list((await of_old.getJob(parent))["returnvalue"].values()) == [1]
    await node5.worker("q")
    tree = await app.flows.add(Flow("gather", "q", children=[Flow("echo", "q", 2)]))
    assert list((await tree.job.wait_for_result(5)).values()) == [2]


async def _has_completed(queue: NodeObject, least: int) -> bool:
    counts = await queue.getJobCounts("completed")
    return bool(counts["completed"] >= least)


async def _has_told(events: NodeObject, name: str, least: int) -> bool:
    return (await names_of(events)).count(name) >= least

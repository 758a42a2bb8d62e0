"""PyPI's bullmq and we steer one queue: pauses, limits, schedules, flows, cleaning; and a fleet with Node."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
import redis

from stockyard import App, Flow, Job, JobState, Queue, Rate
from tests.interop.conftest import Work
from tests.support.node import NodePeer, has_counts, is_in, names_of
from tests.support.peer import PeerObject
from tests.support.python_peer import PythonPeer
from tests.support.waiting import eventually

HOUR = 3_600_000


@pytest.fixture
async def queue(python_peer: PythonPeer) -> PeerObject:
    """Its ``Queue`` named ``q``."""
    return await python_peer.queue("q")


async def test_a_pause_of_one_holds_the_other(
    python_peer: PythonPeer, queue: PeerObject, ours: Queue, work: Work
) -> None:
    await queue.pause()
    mine = await ours.add("echo", 1)
    async with work():
        assert await mine.state() == JobState.WAITING
        await queue.resume()
        assert await mine.wait_for_result(5) == 1
    await ours.pause()
    assert await queue.isPaused()
    await python_peer.worker("q")
    theirs = await queue.add("echo", 2)
    assert await has_counts(queue, waiting=1, active=0)
    await ours.resume()
    await eventually(lambda: is_in(queue, "completed", theirs["id"]))


async def test_limits_of_one_bind_the_other(python_peer: PythonPeer, queue: PeerObject, ours: Queue) -> None:
    await ours.set_concurrency(2)
    assert await queue.getGlobalConcurrency() == 2
    await ours.add_many([("hang", {})] * 6)
    await python_peer.worker("q", concurrency=3)
    await python_peer.worker("q", concurrency=3)
    await eventually(lambda: has_counts(queue, active=2, waiting=4))
    await ours.set_concurrency(None)
    await ours.set_rate(Rate(5, HOUR))
    assert await queue.getGlobalRateLimit() == {"max": 5, "duration": HOUR}


async def test_its_rate_binds_us(queue: PeerObject, ours: Queue, work: Work) -> None:
    await queue.setGlobalRateLimit(3, 400)
    jobs = await ours.add_many([("nothing", {})] * 5)
    async with work(concurrency=5):
        await eventually(lambda: has_counts(queue, completed=5))
    started = [(await job.refresh()).processed_on or 0 for job in jobs]
    assert min(started[3:]) - started[0] >= 400


async def test_its_schedule_is_run_by_us(queue: PeerObject, app: App, work: Work) -> None:
    await queue.upsertJobScheduler("s", {"every": 200}, "echo", {"n": 1})
    async with work():
        await eventually(lambda: _has_completed(queue, 4))
    runs = sorted(int(each["id"].rsplit(":", 1)[1]) for each in await queue.getJobs(["completed"]))
    # On a busy machine one may be missed, and the others keep to their times.
    assert {(later - earlier) % 200 for earlier, later in pairwise(runs)} == {0}
    (schedule,) = await app.schedules("q").list()
    assert (schedule.id, schedule.timing.every_ms, schedule.job_name) == ("s", 200, "echo")
    assert await queue.getJobSchedulersCount() == 1


async def test_our_schedule_is_run_by_it(python_peer: PythonPeer, queue: PeerObject, app: App) -> None:
    await app.schedules("q").upsert("s", every=0.2, name="echo", data={"n": 1}, limit=3)
    await python_peer.worker("q")
    await eventually(lambda: has_counts(queue, completed=3, delayed=0))
    runs = await queue.getJobs(["completed"])
    assert [each["data"] for each in runs] == [{"n": 1}] * 3
    assert await queue.removeJobScheduler("s") == 0
    assert await app.schedules("q").count() == 0


async def test_its_flow_is_run_by_us(python_peer: PythonPeer, queue: PeerObject, ours: Queue, work: Work) -> None:
    flows = await python_peer.flows()
    children = [{"name": "echo", "queueName": "q", "data": number} for number in (1, 2)]
    tree = await flows.add({"name": "gather", "queueName": "q", "data": {}, "children": children})
    parent = tree["job"]["id"]
    assert await is_in(queue, "waiting-children", parent)
    async with work():
        await eventually(lambda: is_in(queue, "completed", parent))
    result = (await queue.getJob(parent))["returnvalue"]
    assert sorted(result.values()) == [1, 2]


async def test_our_flow_is_run_by_it(python_peer: PythonPeer, app: App) -> None:
    await python_peer.worker("q")
    tree = await app.flows.add(Flow("gather", "q", children=[Flow("echo", "q", 1), Flow("echo", "q", 2)]))
    assert sorted((await tree.job.wait_for_result(5)).values()) == [1, 2]


@pytest.mark.parametrize(
    ("on_failure", "flag"),
    [
        ("fail_parent", "failParentOnFailure"),
        ("continue_parent", "continueParentOnFailure"),
        ("ignore_dependency", "ignoreDependencyOnFailure"),
        ("remove_dependency", "removeDependencyOnFailure"),
    ],
)
async def test_a_failed_child_does_the_same_to_its_parent(
    python_peer: PythonPeer, queue: PeerObject, app: App, work: Work, on_failure: Any, flag: str
) -> None:
    """The first flow is its and run by us, the second ours and run by it."""
    bad = {"name": "fail", "queueName": "q", "data": {"reason": "no"}, "opts": {flag: True}}
    flows = await python_peer.flows()
    theirs = await flows.add({"name": "nothing", "queueName": "q", "data": {}, "children": [bad]})
    async with work():
        await eventually(lambda: has_counts(queue, waiting=0, active=0, **{"waiting-children": 0}))
    ended = await queue.getJob(theirs["job"]["id"])
    await python_peer.worker("q")
    mine = await app.flows.add(
        Flow("nothing", "q", children=[Flow("fail", "q", {"reason": "no"}, on_failure=on_failure)])
    )
    await eventually(lambda: has_counts(queue, waiting=0, active=0, **{"waiting-children": 0}))
    parent = await mine.job.refresh()
    assert await is_in(queue, await mine.job.state(), theirs["job"]["id"])
    assert (await mine.job.state() == JobState.FAILED) == (on_failure == "fail_parent")
    assert bool(parent.failed_reason) == bool(ended["failedReason"]) == (on_failure == "fail_parent")


async def test_it_drains_cleans_and_obliterates_what_we_left(
    queue: PeerObject, ours: Queue, work: Work, raw: "redis.Redis", prefix: str
) -> None:
    await ours.add_many([("echo", 1), ("fail", {"reason": "no"}), ("fail", {"reason": "no"})])
    async with work():
        await eventually(lambda: has_counts(queue, completed=1, failed=2))
    assert len(await queue.clean(0, 0, "completed")) == 1
    await queue.retryJobs({"count": 100})
    assert await has_counts(queue, failed=0, waiting=2)
    await ours.add_many([("echo", 1, {"priority": 1}), ("echo", 2, {"delay": "1h"})])
    await queue.promoteJobs({"count": 100})
    assert await has_counts(queue, delayed=0)
    await queue.drain(True)
    await queue.pause()
    await queue.obliterate()
    assert list(raw.scan_iter(f"{prefix}*")) == []


async def test_we_drain_clean_and_obliterate_what_it_left(
    python_peer: PythonPeer, queue: PeerObject, ours: Queue, raw: "redis.Redis", prefix: str
) -> None:
    worker = await python_peer.worker("q")
    await queue.addBulk([{"name": "echo", "data": 1}, {"name": "fail", "data": {"reason": "no"}}])
    await eventually(lambda: has_counts(queue, completed=1, failed=1))
    await worker.close()
    assert len(await ours.clean("completed")) == 1
    assert await ours.retry_all() == 1
    await queue.add("echo", 2, {"delay": HOUR})
    assert await ours.promote_all() == 1
    await ours.drain()
    assert await has_counts(queue, waiting=0, delayed=0)
    await ours.pause()
    await ours.obliterate()
    assert list(raw.scan_iter(f"{prefix}*")) == []


async def test_workers_of_three_kinds_share_a_queue(
    node: NodePeer, python_peer: PythonPeer, queue: PeerObject, app: App, work: Work
) -> None:
    nodes_queue = await node.queue("q")
    events = await node.events("q")
    ours = app.queue("q")
    here: list[str] = []

    async def handle(job: Job[int]) -> int:
        here.append(job.id)
        return job.data

    nodes_worker = await node.worker("q", concurrency=5)
    its_worker = await python_peer.worker("q", concurrency=5)
    async with work(handle, concurrency=5):
        for start in range(0, 600, 60):
            await nodes_queue.addBulk([{"name": "echo", "data": start + at} for at in range(20)])
            await queue.addBulk([{"name": "echo", "data": start + 20 + at} for at in range(20)])
            await ours.add_many([("echo", start + 40 + at) for at in range(20)])
        await eventually(lambda: has_counts(nodes_queue, completed=600), within=60)
    nodes = [job["id"] for job in await nodes_worker.read("started")]
    its = [job["id"] for job in await its_worker.read("started")]
    assert here
    assert nodes
    assert its
    assert Counter(here + nodes + its) == Counter(str(number) for number in range(1, 601))
    results = [job["returnvalue"] for job in await nodes_queue.getJobs(["completed"])]
    assert sorted(results) == list(range(600))
    await eventually(lambda: _has_told(events, "completed", 600))


async def test_a_schedule_in_a_fleet_of_three_runs_once_per_tick(
    node: NodePeer, python_peer: PythonPeer, queue: PeerObject, app: App, work: Work
) -> None:
    await app.schedules("q").upsert("s", every=0.1, name="nothing", limit=12)
    nodes_worker = await node.worker("q")
    its_worker = await python_peer.worker("q")
    async with work():
        await eventually(lambda: has_counts(queue, completed=12, delayed=0), within=25)
    runs = sorted(int(each["id"].rsplit(":", 1)[1]) for each in await queue.getJobs(["completed"]))
    assert {(later - earlier) % 100 for earlier, later in pairwise(runs)} == {0}
    assert len(set(runs)) == 12
    assert await nodes_worker.read("errors") == []
    assert await its_worker.read("errors") == []


async def test_a_flow_crosses_a_fleet_of_three(
    node: NodePeer, python_peer: PythonPeer, open_app: Any, work: Work
) -> None:
    """Each kind has a queue of its own; the parent of the first is in the second, and so on."""
    app = open_app(a={}, b={}, c={})
    leaves = [Flow("echo", "a", number) for number in range(5)]
    await python_peer.worker("a", concurrency=2)
    await node.worker("b")
    tree = await app.flows.add(Flow("gather", "c", children=[Flow("gather", "b", children=leaves)]))
    async with work(app=app, queue="c"):
        (gathered,) = (await tree.job.wait_for_result(25)).values()
    assert sorted(gathered.values()) == list(range(5))


async def _has_completed(queue: PeerObject, least: int) -> bool:
    counts = await queue.getJobCounts("completed")
    return bool(counts["completed"] >= least)


async def _has_told(events: PeerObject, name: str, times: int) -> bool:
    return (await names_of(events)).count(name) == times

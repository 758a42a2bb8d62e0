"""Scenarios of whole queues that Node and we share; `test_scenarios.py` lists them all."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from stockyard import App, Flow, Job, JobState, JobStateError, Queue, Rate
from stockyard.errors import JobLocked
from stockyard.model.clock import SteppedClock
from tests.interop.conftest import Work
from tests.support.node import NodeError, NodeObject, NodePeer, has_counts, is_in
from tests.support.waiting import eventually

HOUR = 3_600_000
WINDOW = 400


@pytest.mark.parametrize("setter", ["node", "us"])
async def test_scenario_18_no_more_jobs_run_than_one_side_says(
    node: NodePeer, queue: NodeObject, ours: Queue, work: Work, setter: str
) -> None:
    await (queue.setGlobalConcurrency(2) if setter == "node" else ours.set_concurrency(2))
    running: list[int] = []

    async def are_done() -> bool:
        running.append(await queue.getActiveCount())
        return await has_counts(queue, completed=30)

    # All are there before anybody works: more would run at once if more were allowed to.
    for _ in range(15):
        await queue.add("slow", {"ms": 50})
        await ours.add("slow", {"ms": 50})
    options = {"concurrency": 5, "drainDelay": 0.05}
    await node.worker("q", **options)
    await node.worker("q", **options)
    async with work(concurrency=5), work(concurrency=5):
        await eventually(are_done)
    assert max(running) == 2


@pytest.mark.parametrize("setter", ["node", "us"])
async def test_scenario_19_both_sides_workers_keep_a_global_rate(
    node: NodePeer, queue: NodeObject, ours: Queue, work: Work, raw: "redis.Redis", setter: str
) -> None:
    await (queue.setGlobalRateLimit(5, WINDOW) if setter == "node" else ours.set_rate(Rate(5, WINDOW)))
    await queue.addBulk([{"name": "nothing", "data": 1} for _ in range(15)])
    await node.worker("q", concurrency=10)
    async with work(concurrency=10):
        await eventually(lambda: has_counts(queue, completed=15))
    # The moments of the server, which counts: a caller's own is earlier by all that delays its call.
    events: Any = raw.xrange(ours._keyspace.keys["events"])
    starts = [int(entry.partition("-")[0]) for entry, fields in events if fields["event"] == "active"]
    assert len(starts) == 15
    assert max(per_window(starts)) <= 5


def per_window(starts: list[int]) -> list[int]:
    """How many starts fell into each window, which begins with the first start after the end of the last."""
    counts, begin = [], -WINDOW
    for start in starts:
        if start >= begin + WINDOW:
            begin = start
            counts.append(0)
        counts[-1] += 1
    return counts


async def test_scenario_23_a_pending_run_stays_until_its_schedule_goes(
    queue: NodeObject, events: NodeObject, app: App, raw: "redis.Redis", prefix: str
) -> None:
    schedules, ours = app.schedules("q"), app.queue("q")
    mine = await schedules.upsert("mine", every="1h", offset="59m", name="echo")
    theirs = await queue.upsertJobScheduler("theirs", {"every": HOUR, "offset": 59 * 60_000}, {"name": "echo"})
    with pytest.raises(NodeError, match="scheduler"):
        await queue.job(mine.next_job_id, "remove")
    with pytest.raises(JobStateError):
        await ours.remove(theirs["id"])
    assert await queue.removeJobScheduler("mine")
    assert await schedules.remove("theirs")
    assert [raw.exists(f"{prefix}:q:repeat:{name}") for name in ("mine", "theirs")] == [0, 0]
    assert await has_counts(queue, delayed=0)
    removed = [fields for name, fields in await events.read("events") if name == "removed"]
    assert removed == [{"jobId": run, "prev": "delayed"} for run in (mine.next_job_id, theirs["id"])]


@pytest.mark.parametrize(
    ("on_failure", "ended", "key"),
    [
        ("fail_parent", JobState.FAILED, "unsuccessful"),
        ("continue_parent", JobState.COMPLETED, "failed"),
        ("ignore_dependency", JobState.WAITING_CHILDREN, "failed"),
        ("remove_dependency", JobState.WAITING_CHILDREN, ""),
        (None, JobState.WAITING_CHILDREN, "dependencies"),
    ],
)
async def test_scenario_25_a_child_that_fails_in_node_does_to_our_parent_what_we_asked(
    node: NodePeer, app: App, raw: "redis.Redis", prefix: str, on_failure: Any, ended: JobState, key: str
) -> None:
    bad = Flow("fail", "q", job_id="bad", on_failure=on_failure)
    later = Flow("echo", "q", job_id="later", delay="1h")
    tree = await app.flows.add(Flow("nothing", "q", job_id="parent", children=[bad, later]))
    source = """async (job) => {
      if (job.id === "bad") throw new Error("no");
      await job.removeUnprocessedChildren();
    }"""
    await node.worker("q", handler=source)
    await eventually(lambda: raw.zscore(f"{prefix}:q:failed", "bad"))
    await eventually(lambda: _is(tree.job, ended))
    child, parent = f"{prefix}:q:bad", f"{prefix}:q:parent"
    assert raw.zrange(f"{parent}:unsuccessful", 0, -1) == ([child] if key == "unsuccessful" else [])
    assert raw.hgetall(f"{parent}:failed") == ({child: "no"} if key == "failed" else {})
    assert (child in raw.smembers(f"{parent}:dependencies")) == (key == "dependencies")
    if ended == JobState.FAILED:
        assert (await tree.job.refresh()).failed_reason == f"child {child} failed"


async def test_scenario_30_node_removes_our_flow_unless_a_child_runs(
    node: NodePeer, queue: NodeObject, app: App, work: Work, raw: "redis.Redis", prefix: str
) -> None:
    await app.flows.add(Flow("nothing", "q", job_id="parent", children=[Flow("hang", "q", job_id="child")]))
    async with work():
        await eventually(lambda: is_in(queue, "active", "child"))
        assert await queue.remove("parent", {"removeChildren": True}) == 0
        assert await is_in(queue, "waiting-children", "parent")
    assert await queue.remove("parent", {"removeChildren": True}) == 1
    assert _jobs_left(raw, prefix) == set()


async def test_scenario_30_we_remove_nodes_flow_unless_a_child_runs(
    node: NodePeer, queue: NodeObject, ours: Queue, raw: "redis.Redis", prefix: str
) -> None:
    child = {"name": "hang", "queueName": "q", "data": {}, "opts": {"jobId": "child"}}
    flow = {"name": "nothing", "queueName": "q", "data": {}, "opts": {"jobId": "parent"}, "children": [child]}
    await (await node.flows()).add(flow)
    worker = await node.worker("q")
    await eventually(lambda: is_in(queue, "active", "child"))
    with pytest.raises(JobLocked):
        await ours.remove("parent")
    assert await is_in(queue, "waiting-children", "parent")
    await worker.close()
    raw.delete(f"{prefix}:q:child:lock")
    await ours.remove("parent")
    assert _jobs_left(raw, prefix) == set()


async def test_scenario_32_node_reads_our_counts_by_the_minute(
    queue: NodeObject, open_app: Callable[..., App], work: Work
) -> None:
    clock = SteppedClock(1_800_000_000_000)
    app = open_app(q={}, clock=clock)
    ours = app.queue("q")
    async with work(app=app):
        await ours.add_many([("echo", 1), ("echo", 2), ("fail", {"reason": "no"})])
        await eventually(lambda: has_counts(queue, completed=2, failed=1))
        clock.step(60_000)
        await ours.add("echo", 3)
        await eventually(lambda: has_counts(queue, completed=3))
    metrics = await queue.getMetrics("completed")
    # The count of a minute holds the job that began the next.
    assert (metrics["meta"]["count"], metrics["data"], metrics["count"]) == (3, [2], 1)
    exported = await queue.exportPrometheusMetrics()
    assert 'bullmq_job_completed_total{queue="q"} 3' in exported
    assert 'bullmq_job_failed_total{queue="q"} 1' in exported


async def test_scenario_32_we_read_nodes_counts_by_the_minute(
    node: NodePeer, queue: NodeObject, ours: Queue, raw: "redis.Redis", prefix: str
) -> None:
    await node.worker("q", metrics={"maxDataPoints": 10})
    await ours.add_many([("echo", 1), ("echo", 2), ("fail", {"reason": "no"})])
    await eventually(lambda: has_counts(queue, completed=2, failed=1))
    # As if it had been a minute ago.
    raw.hincrby(f"{prefix}:q:metrics:completed", "prevTS", -60_000)
    await ours.add("echo", 3)
    await eventually(lambda: has_counts(queue, completed=3))
    metrics = await ours.metrics()
    assert (metrics.count, metrics.data, metrics.points) == (3, (2,), 1)
    assert (await ours.metrics("failed")).count == 1
    ours_said, node_said = await ours.prometheus(), await queue.exportPrometheusMetrics()
    assert _samples(ours_said) == _samples(node_said)


async def test_scenario_33_we_list_nodes_workers(node: NodePeer, ours: Queue, work: Work) -> None:
    await node.worker("q", name="node-1")
    async with work(name="our-1"):
        assert sorted(each.name for each in await ours.workers()) == ["node-1", "our-1"]


def _samples(exported: str) -> set[str]:
    return {line for line in exported.splitlines() if line and not line.startswith("#")}


async def _is(job: Job[Any], state: JobState) -> bool:
    return await job.state() == state


def _jobs_left(raw: Any, prefix: str) -> set[str]:
    keys = {key.removeprefix(f"{prefix}:q:") for key in raw.scan_iter(f"{prefix}:*")}
    return {key for key in keys if key.startswith(("parent", "child"))} | keys & {
        "wait",
        "active",
        "waiting-children",
    }

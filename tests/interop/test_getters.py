"""What readers ask of a queue is answered alike by both sides, whoever made what is there."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis

from stockyard import App, Flow, JobState, Queue
from stockyard.produce.browse import LISTED_STATES
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts
from tests.support.waiting import eventually

FIELDS = {
    "id": "id",
    "name": "name",
    "data": "data",
    "timestamp": "timestamp",
    "priority": "priority",
    "delay": "delay_ms",
    "progress": "progress",
    "returnvalue": "return_value",
    "failedReason": "failed_reason",
    "stacktrace": "stacktrace",
    "attemptsMade": "attempts_made",
    "attemptsStarted": "attempts_started",
    "processedOn": "processed_on",
    "finishedOn": "finished_on",
    "processedBy": "processed_by",
}
PLAIN = [{"n": number} for number in range(7)]


async def fill_by_us(app: App, ours: Queue) -> None:
    await ours.add_many([("nothing", each) for each in PLAIN])
    await ours.add("nothing", {"n": "front"}, lifo=True)
    await ours.add_many([("nothing", {"p": n}, {"priority": n % 3 + 1}) for n in range(5)])
    await ours.add_many([("nothing", {"d": n}, {"delay": 3600 + n * 60}) for n in (3, 1, 2)])
    await app.flows.add(Flow("nothing", "q", children=[Flow("nothing", "q")]))
    await ours.add("nothing", {}, deduplication="alone", delay="1h")


async def fill_by_node(node: NodePeer, queue: NodeObject) -> None:
    await queue.addBulk([{"name": "nothing", "data": each} for each in PLAIN])
    await queue.add("nothing", {"n": "front"}, {"lifo": True})
    for n in range(5):
        await queue.add("nothing", {"p": n}, {"priority": n % 3 + 1})
    for n in (3, 1, 2):
        await queue.add("nothing", {"d": n}, {"delay": (3600 + n * 60) * 1000})
    child = {"name": "nothing", "queueName": "q"}
    await (await node.flows()).add({"name": "nothing", "queueName": "q", "children": [child]})
    await queue.add("nothing", {}, {"deduplication": {"id": "alone"}, "delay": 3_600_000})


async def finish_some(ours: Queue, queue: NodeObject, raw: Any, prefix: str) -> None:
    """Let a worker end six, four well and two badly, of which the later ones count for a new minute."""
    jobs = await ours.add_many([("echo", n) for n in range(3)] + [("fail", {"reason": "no"})])
    await asyncio.gather(*(job.wait_for_result(25) for job in jobs), return_exceptions=True)
    for kind in ("completed", "failed"):
        raw.hincrby(f"{prefix}:q:metrics:{kind}", "prevTS", -180_000)
    jobs = await ours.add_many([("echo", 4), ("fail", {"reason": "no"})])
    await asyncio.gather(*(job.wait_for_result(25) for job in jobs), return_exceptions=True)
    await eventually(lambda: has_counts(queue, completed=4, failed=2))


async def assert_alike(ours: Queue, queue: NodeObject) -> None:
    """Compare the answers to every question about jobs and counts."""
    states = [state.value for state in LISTED_STATES]
    assert await queue.getJobCounts() == await ours.counts()
    for state in states:
        for oldest_first in (True, False):
            whole = [each["id"] for each in await queue.getJobs([state], 0, -1, oldest_first)]
            assert [each.id for each in await ours.get_jobs(state, newest_first=not oldest_first)] == whole
            for page in (1, 2, 3):
                node_page = await queue.getJobs([state], (page - 1) * 2, page * 2 - 1, oldest_first)
                our_page = await ours.get_jobs(state, page=page, size=2, newest_first=not oldest_first)
                assert [each.id for each in our_page] == [each["id"] for each in node_page]
        assert await queue.getJobCountByTypes(state) == await ours.count(state)
    assert await queue.getJobCountByTypes(*states) == await ours.count()
    several = await queue.getJobs(["active", "delayed", "waiting"], 0, -1, False)
    assert [each.id for each in await ours.get_jobs(["active", "delayed", "waiting"])] == [
        each["id"] for each in several
    ]

    priorities = await queue.getCountsPerPriority([0, 1, 2, 3, 4])
    assert {int(each): count for each, count in priorities.items()} == await ours.counts_per_priority(range(5))


@pytest.mark.parametrize("made_by", ["ours", "node"])
async def test_lists_and_counts(
    node: NodePeer, queue: NodeObject, app: App, ours: Queue, raw: "redis.Redis", prefix: str, made_by: str
) -> None:
    if made_by == "ours":
        await fill_by_us(app, ours)
    else:
        await fill_by_node(node, queue)
    assert (await ours.counts())[JobState.WAITING_CHILDREN] == 1
    await assert_alike(ours, queue)
    owner = await queue.getDeduplicationJobId("alone")
    assert owner
    assert await ours.deduplication_owner("alone") == owner
    worker = await node.worker("q", concurrency=2, handler="() => new Promise(() => {})")
    await eventually(lambda: has_counts(queue, active=2))
    await assert_alike(ours, queue)
    await worker.close()


async def test_each_job_is_read_alike(node: NodePeer, queue: NodeObject, ours: Queue, work: Work) -> None:
    async with work(name="w-1"):
        await ours.add("report", {"progress": [1, {"half": True}], "lines": ["a"]})
        await ours.add("fail", {"reason": 'no "Ω"'}, attempts=2)
        await queue.add("echo", {"a": [1, None]})
        await eventually(lambda: has_counts(queue, completed=2, failed=1))
    for job in await ours.get_jobs(["completed", "failed"]):
        asked = await queue.getJob(job.id)
        told = {theirs: getattr(job, own) for theirs, own in FIELDS.items()}
        # Node reads a progress that was never told as 0.
        told["progress"], told["stacktrace"] = job.progress or 0, list(job.stacktrace)
        assert told == {theirs: asked.get(theirs) for theirs in told} | {"stacktrace": asked["stacktrace"] or []}


@pytest.mark.parametrize("worked_by", ["ours", "node"])
async def test_metrics_and_the_text_for_prometheus(
    node: NodePeer, queue: NodeObject, ours: Queue, work: Work, raw: "redis.Redis", prefix: str, worked_by: str
) -> None:
    if worked_by == "ours":
        async with work():
            await finish_some(ours, queue, raw, prefix)
    else:
        await node.worker("q", metrics={"maxDataPoints": 10})
        await finish_some(ours, queue, raw, prefix)
    for kind in ("completed", "failed"):
        for start, end in ((0, -1), (0, 0), (1, 2), (5, 9)):
            asked = await queue.getMetrics(kind, start, end)
            told = await ours.metrics(kind, start, end)
            assert asked == {
                "meta": {"count": told.count, "prevTS": told.prev_ts, "prevCount": told.prev_count},
                "data": list(told.data),
                "count": told.points,
            }
    assert (await ours.metrics("completed")).data == (0, 0, 3)
    labels = {"env": 'a "b" \\ c\nd', "desk": "eu"}
    assert await ours.prometheus() == await queue.exportPrometheusMetrics() + "\n"
    assert await ours.prometheus(labels) == await queue.exportPrometheusMetrics(labels) + "\n"


async def test_workers_of_a_queue_whose_name_has_a_colon(
    node: NodePeer, open_app: Callable[..., App], work: Work, prefix: str
) -> None:
    app = open_app(**{"eu:orders": {}})
    inner = await node.make("Queue", "orders", prefix=f"{prefix}:eu")
    await node.make("Worker", "orders", prefix=f"{prefix}:eu", name="node-1")
    await node.make("QueueEvents", "orders", prefix=f"{prefix}:eu")
    async with work(app=app, queue="eu:orders", name="our-1"):
        told = await app.queue("eu:orders").workers()
        asked = await inner.getWorkers()
    assert sorted(each.name for each in told) == ["node-1", "our-1"]
    assert sorted(each.connection for each in told) == sorted(int(each["id"]) for each in asked)
    assert sorted(each.address for each in told) == sorted(each["addr"] for each in asked)


async def test_settings_and_limits(node: NodePeer, queue: NodeObject, ours: Queue) -> None:
    assert (await ours.settings()).version == (await queue.getMeta())["version"]
    assert await queue.getVersion() == (await ours.settings()).version
    await queue.pause()
    await queue.setGlobalConcurrency(3)
    await queue.setGlobalRateLimit(2, 30_000)
    settings, meta = await ours.settings(), await queue.getMeta()
    assert settings.paused is (await ours.is_paused()) is meta["paused"] is True
    assert settings.concurrency == await queue.getGlobalConcurrency() == 3
    assert settings.rate is not None
    assert await queue.getGlobalRateLimit() == {"max": settings.rate.max, "duration": settings.rate.duration_ms}
    assert settings.max_events == meta["maxLenEvents"] == 10_000

    await queue.resume()
    assert await ours.rate_limit_left_ms() == await queue.getRateLimitTtl() == 0
    await node.worker("q", drainDelay=0.05)
    await queue.addBulk([{"name": "nothing", "data": {}} for _ in range(3)])
    await eventually(lambda: has_counts(queue, completed=2))
    for limit in (None, 2, 3):
        asked = await (queue.getRateLimitTtl() if limit is None else queue.getRateLimitTtl(limit))
        assert await ours.rate_limit_left_ms(limit) == pytest.approx(asked, abs=5000)
        assert (asked > 0) == (limit != 3)

"""Scenarios of single jobs that cross from Node to us and back; `test_scenarios.py` lists them all."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import redis

from stockyard import App, Backoff, Deduplication, Job, JobFailed, JobState, Keep, Queue
from stockyard.model.clock import SteppedClock
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts, is_drained, is_in, names_of
from tests.support.waiting import eventually

HOUR = 3_600_000
MODES: dict[str, dict[str, Any]] = {
    "simple": {},
    "throttle": {"ttl": HOUR},
    "extend": {"ttl": HOUR, "extend": True},
    "replace": {"replace": True},
    "reschedule": {"reschedule": True},
}


async def test_scenario_03_and_04_we_start_both_sides_jobs_in_one_order(
    queue: NodeObject, ours: Queue, work: Work
) -> None:
    await queue.add("nothing", 1, {"priority": 2})
    await ours.add("nothing", 2, priority=2)
    await queue.add("nothing", 3, {"priority": 5})
    await ours.add("nothing", 4, priority=1)
    await queue.add("nothing", 5)
    await ours.add("nothing", 6)
    await ours.add("nothing", 7, lifo=True)
    await queue.add("nothing", 8, {"lifo": True})
    seen: list[int] = []

    async def handle(job: Job[int]) -> None:
        seen.append(job.data)

    async with work(handle, concurrency=1):
        await eventually(lambda: has_counts(queue, completed=8))
    assert seen == [8, 7, 5, 6, 4, 1, 2, 3]


@pytest.mark.parametrize("adder", ["node", "us"])
async def test_scenario_05_an_idle_worker_starts_a_delayed_job_in_time(
    node: NodePeer, queue: NodeObject, events: NodeObject, ours: Queue, work: Work, adder: str
) -> None:
    # Nobody looks by itself in time: only the marker tells when to wake.
    if adder == "node":
        async with work(drain_delay=60):
            await eventually(lambda: _is_listed(queue))
            await queue.add("echo", 1, {"delay": 300})
            await eventually(lambda: has_counts(queue, completed=1), within=8)
    else:
        await node.worker("q", drainDelay=60)
        await eventually(lambda: _is_listed(queue))
        await ours.add("echo", 1, delay=0.3)
        await eventually(lambda: has_counts(queue, completed=1), within=8)
    job = await queue.getJob("1")
    assert job["processedOn"] >= job["timestamp"] + 300
    assert job["delay"] == 0
    assert ["waiting", {"jobId": "1", "prev": "delayed"}] in await events.read("events")


async def test_scenario_06_jobs_due_at_once_keep_the_order_of_both_producers(
    queue: NodeObject, open_app: Callable[..., App], work: Work, raw: Any, prefix: str
) -> None:
    moment = 1_700_000_000_000
    ours = open_app(q={}, clock=SteppedClock(moment)).queue("q")
    for at in range(3):
        await queue.add("nothing", 2 * at, {"delay": HOUR, "timestamp": moment})
        await ours.add("nothing", 2 * at + 1, delay="1h")
    scores = [int(score) for _, score in raw.zrange(f"{prefix}:q:delayed", 0, -1, withscores=True)]
    assert scores == [(moment + HOUR) * 4096 + at for at in range(6)]
    seen: list[int] = []

    async def handle(job: Job[int]) -> None:
        seen.append(job.data)

    async with work(handle, concurrency=1):
        await eventually(lambda: has_counts(queue, completed=6))
    assert seen == list(range(6))


@pytest.mark.parametrize("worker", ["node", "us"])
async def test_scenario_09_the_wait_doubles_from_attempt_to_attempt(
    node: NodePeer, queue: NodeObject, ours: Queue, work: Work, worker: str
) -> None:
    async def doubles() -> None:
        for made in (1, 2, 3):
            await eventually(partial(_has_made, queue, made))
            assert (await queue.getJob("1"))["delay"] == 2 ** (made - 1) * HOUR
            await queue.job("1", "promote")
        await eventually(lambda: is_in(queue, "failed", "1"))

    if worker == "us":
        backoff = {"type": "exponential", "delay": HOUR}
        await queue.add("fail", {"reason": "no"}, {"attempts": 4, "backoff": backoff})
        async with work():
            await doubles()
    else:
        await node.worker("q")
        await ours.add("fail", {"reason": "no"}, attempts=4, backoff=Backoff.exponential("1h"))
        await doubles()


async def test_scenario_10_an_unrecoverable_error_of_node_ends_our_job(
    node: NodePeer, events: NodeObject, ours: Queue
) -> None:
    await node.worker("q")
    added = await ours.add("fail_for_good", {"reason": "closed"}, attempts=5)
    with pytest.raises(JobFailed, match="closed"):
        await added.wait_for_result(5)
    assert (await added.refresh()).attempts_made == 1
    await eventually(lambda: is_drained(events))
    assert "retries-exhausted" not in await names_of(events)


async def test_scenario_13_a_long_job_of_node_is_not_taken_by_us(
    node: NodePeer, queue: NodeObject, open_app: Callable[..., App], work: Work
) -> None:
    """It runs for three leases, while we look for lapsed ones all the time."""
    await node.worker("q", lockDuration=700)
    added = await queue.add("slow", {"ms": 2100})
    await eventually(lambda: is_in(queue, "active", added["id"]))
    async with work(app=open_app(q={}), stalled_interval=0.1):
        await eventually(lambda: is_in(queue, "completed", added["id"]))
    job = await queue.getJob(added["id"])
    assert (job["attemptsStarted"], job["stalledCounter"]) == (1, 0)


@pytest.mark.parametrize("first", ["node", "us"])
@pytest.mark.parametrize("mode", MODES)
async def test_scenario_16_an_id_taken_by_one_side_binds_the_other(
    queue: NodeObject, events: NodeObject, ours: Queue, raw: "redis.Redis", prefix: str, mode: str, first: str
) -> None:
    theirs = MODES[mode]
    words = {name: value for name, value in theirs.items() if name != "ttl"}
    mine = Deduplication("D", "1h" if "ttl" in theirs else None, **words)
    key = f"{prefix}:q:de:D"

    async def add(by: str, hours: int) -> str:
        if by == "us":
            return (await ours.add("echo", by, delay=f"{hours}h", deduplication=mine)).id
        options = {"delay": hours * HOUR, "deduplication": {"id": "D", **theirs}}
        return str((await queue.add("echo", by, options))["id"])

    assert await add(first, 1) == "1"
    if mode == "extend":
        raw.pexpire(key, HOUR // 2)
    second = await add("us" if first == "node" else "node", 2)
    owner, dropped = ("2", "1") if mode == "replace" else ("1", "2")
    assert (second, raw.get(key)) == (owner, owner)
    told = [fields for name, fields in await events.read("events") if name == "deduplicated"]
    assert told == [{"jobId": owner, "deduplicationId": "D", "deduplicatedJobId": dropped}]
    left = raw.pttl(key)
    assert left > HOUR * 0.9 if mode in ("throttle", "extend") else left == -1
    assert (await queue.getJob(owner))["delay"] == (2 if mode in ("replace", "reschedule") else 1) * HOUR
    assert await has_counts(queue, delayed=1)


async def test_scenario_20_a_limit_set_in_our_handler_holds_its_job_and_all(
    node: NodePeer, queue: NodeObject, open_app: Callable[..., App], work: Work, raw: "redis.Redis", prefix: str
) -> None:
    starts: list[tuple[str, int]] = []

    async def handle(job: Job[Any]) -> None:
        starts.append((job.id, job.processed_on or 0))
        if len(starts) == 1:
            await job.rate_limit(0.4)

    await queue.addBulk([{"name": "echo", "data": 1} for _ in range(2)])
    async with work(handle, app=open_app(q={"rate": "100/s"}), concurrency=1):
        await eventually(lambda: bool(starts))
        await eventually(lambda: raw.lrange(f"{prefix}:q:wait", 0, -1) == ["2", "1"])
        assert (await queue.getJob("1"))["attemptsMade"] == 0
        assert await queue.getRateLimitTtl(100) > 0
        await eventually(lambda: has_counts(queue, completed=2))
    assert [job_id for job_id, _ in starts] == ["1", "1", "2"]
    assert starts[1][1] - starts[0][1] >= 400
    job = await queue.getJob("1")
    assert (job["attemptsMade"], job["attemptsStarted"]) == (1, 2)


async def test_scenario_20_a_limit_set_in_nodes_handler_holds_ours(node: NodePeer, ours: Queue) -> None:
    source = """async (job, token, worker) => {
      if (job.data.limit && job.attemptsStarted === 1) {
        await worker.rateLimit(400);
        throw new bullmq.RateLimitError();
      }
      return job.processedOn;
    }"""
    first, second = await ours.add_many([("x", {"limit": True}), ("x", {})])
    await node.worker("q", handler=source, limiter={"max": 100, "duration": 1000})
    assert await second.wait_for_result(5) >= await first.wait_for_result(5) >= first.timestamp + 400
    job = await first.refresh()
    assert (job.attempts_made, job.attempts_started) == (1, 2)


@pytest.mark.parametrize(("keep", "left"), [(True, 0), (2, 2), (Keep.within("1h", 3), 3)])
async def test_scenario_27_node_keeps_as_many_of_ours_as_we_asked(
    node: NodePeer, queue: NodeObject, ours: Queue, raw: "redis.Redis", prefix: str, keep: Any, left: int
) -> None:
    await node.worker("q")
    report = {"progress": [], "lines": ["one"]}
    await ours.add_many([("report", report, {"remove_on_complete": keep}) for _ in range(5)])
    await eventually(lambda: has_counts(queue, waiting=0, active=0))
    assert await has_counts(queue, completed=left)
    logs = {key.split(":")[-2] for key in raw.scan_iter(f"{prefix}:q:*:logs")}
    assert logs == {str(number) for number in range(6 - left, 6)}


async def test_scenario_29_as_many_log_lines_stay_as_was_asked(
    node: NodePeer, queue: NodeObject, ours: Queue, work: Work
) -> None:
    report = {"progress": [], "lines": ["one", "two", "three"]}
    theirs = await queue.add("report", report, {"keepLogs": 2})
    async with work():
        await eventually(lambda: is_in(queue, "completed", theirs["id"]))
    assert await queue.getJobLogs(theirs["id"]) == {"logs": ["two", "three"], "count": 2}
    await node.worker("q")
    mine = await ours.add("report", report, keep_logs=1)
    await mine.wait_for_result(5)
    assert await mine.logs() == ["three"]
    assert await mine.state() == JobState.COMPLETED


async def _is_listed(queue: NodeObject) -> bool:
    return bool(await queue.getWorkersCount() == 1)


async def _has_made(queue: NodeObject, attempts: int) -> bool:
    job = await queue.getJob("1")
    return bool(job["attemptsMade"] == attempts) and await is_in(queue, "delayed", "1")

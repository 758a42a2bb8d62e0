"""What operators order on one side holds on the other: pauses, limits, removals, and what readers are told."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis

from stockyard import Job, Queue
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts, is_in, names_of
from tests.support.waiting import eventually

HOUR = 3_600_000
SLEEPY = {"drainDelay": 60}


async def test_a_node_worker_rests_while_we_pause(node: NodePeer, queue: NodeObject, ours: Queue) -> None:
    await ours.pause()
    assert await queue.isPaused()
    worker = await node.worker("q", drainDelay=0.05)
    await queue.add("echo", 1)
    due = await queue.add("echo", 2, {"delay": 1})
    # That the due one waits shows that the worker looked, and took nothing.
    await eventually(lambda: is_in(queue, "waiting", due["id"]))
    assert await worker.read("started") == []
    await ours.resume()
    await eventually(lambda: has_counts(queue, completed=2))


async def idle(node: NodePeer, queue: NodeObject) -> None:
    """Start a Node worker that finds nothing after its first job, and would sleep for a minute."""
    await node.worker("q", **SLEEPY)
    added = await queue.add("echo", 1)
    await eventually(lambda: is_in(queue, "completed", added["id"]))


async def test_resuming_wakes_an_idle_node_worker(node: NodePeer, queue: NodeObject, ours: Queue) -> None:
    await idle(node, queue)
    await ours.pause()
    await queue.add("echo", 1)
    await ours.resume()
    await eventually(lambda: has_counts(queue, completed=2), within=5)


async def test_more_room_wakes_an_idle_node_worker(node: NodePeer, queue: NodeObject, ours: Queue) -> None:
    await ours.set_concurrency(1)
    assert await queue.getGlobalConcurrency() == 1
    worker = await node.worker("q", **SLEEPY)
    await queue.add("hang", 1)
    await eventually(lambda: has_counts(queue, active=1))
    await worker.close()
    await node.worker("q", **SLEEPY)
    await queue.add("echo", 1)
    assert await has_counts(queue, active=1, waiting=1)
    await ours.set_concurrency(2)
    await eventually(lambda: has_counts(queue, active=1, completed=1), within=5)
    await ours.set_concurrency(None)
    assert await queue.getGlobalConcurrency() is None


LETTING_RUN: dict[str, Callable[[Queue, Job[Any]], Awaitable[Any]]] = {
    "promote_all": lambda ours, _: ours.promote_all(),
    "retry_all": lambda ours, _: ours.retry_all(),
    "promote": lambda _, job: job.promote(),
    "retry": lambda _, job: job.retry(),
    "change_delay": lambda _, job: job.change_delay("100ms"),
}


@pytest.mark.parametrize("order", LETTING_RUN)
async def test_what_we_let_run_wakes_an_idle_node_worker(
    node: NodePeer, queue: NodeObject, ours: Queue, order: str
) -> None:
    await idle(node, queue)
    if "retry" in order:
        added = await queue.add("fail_first", {"times": 1})
        await eventually(lambda: has_counts(queue, completed=1, failed=1))
    else:
        added = await queue.add("echo", 1, {"delay": HOUR})
    job = await ours.get_job(added["id"])
    assert job is not None
    await LETTING_RUN[order](ours, job)
    await eventually(lambda: has_counts(queue, completed=2), within=5)


async def test_our_rate_and_our_stop_hold_for_node(node: NodePeer, queue: NodeObject, ours: Queue) -> None:
    await ours.set_rate("2/h")
    assert await queue.getGlobalRateLimit() == {"max": 2, "duration": HOUR}
    await node.worker("q", drainDelay=0.05)
    await queue.addBulk([{"name": "echo", "data": 1}] * 3)
    await eventually(lambda: has_counts(queue, completed=2, waiting=1))
    assert await queue.getRateLimitTtl() > 0
    await ours.set_rate(None)
    assert await queue.getGlobalRateLimit() is None
    await ours.rate_limit("1h")
    assert HOUR - 60_000 < await queue.getRateLimitTtl() <= HOUR
    await ours.clear_rate_limit()
    assert await queue.getRateLimitTtl() < 0


async def test_what_a_bullmq_5_set_aside_runs_in_its_order(
    node5: NodePeer,
    prefix: str,
    queue: NodeObject,
    events: NodeObject,
    ours: Queue,
    work: Work,
    raw: "redis.Redis",
) -> None:
    of_old = await node5.queue("q")
    for number in (1, 2):
        await of_old.add("echo", number)
    await of_old.pause()
    await of_old.add("echo", 3)
    assert raw.lrange(f"{prefix}:q:paused", 0, -1) == ["3", "2", "1"]
    await ours.add("echo", 4)
    assert {state.value: number for state, number in (await ours.counts()).items() if number} == {"waiting": 4}
    await ours.resume()
    assert raw.exists(f"{prefix}:q:paused") == 0
    async with work():
        await eventually(lambda: has_counts(queue, completed=4))
    started = [fields["jobId"] for name, fields in await events.read("events") if name == "active"]
    assert started == ["1", "2", "3", "4"]
    assert (await names_of(events)).count("resumed") == 1


async def test_a_long_list_set_aside_is_drained_and_told_once(
    queue: NodeObject, events: NodeObject, ours: Queue, raw: "redis.Redis", prefix: str
) -> None:
    ids = [str(number) for number in range(3500)]
    raw.hset(f"{prefix}:q:meta", "paused", 1)
    raw.lpush(f"{prefix}:q:paused", *ids)
    raw.lpush(f"{prefix}:q:wait", "newest")
    await ours.resume()
    assert raw.lrange(f"{prefix}:q:wait", 0, -1) == ["newest", *ids[::-1]]
    await eventually(lambda: _is_told(events, "resumed"))
    assert await names_of(events) == ["resumed"]
    assert not await queue.isPaused()


async def add_three(by: str, queue: NodeObject, ours: Queue) -> None:
    """Add a plain, a prioritized and a delayed job, ids 1 to 3, by one side."""
    if by == "node":
        for options in ({}, {"priority": 2}, {"delay": HOUR}):
            await queue.add("echo", 1, options)
    else:
        await ours.add("echo", 1)
        await ours.add("echo", 1, priority=2)
        await ours.add("echo", 1, delay="1h")


def left(raw: "redis.Redis", prefix: str) -> set[str]:
    return {key.removeprefix(f"{prefix}:q:") for key in raw.scan_iter(f"{prefix}:*")}


QUEUE_KEYS = {"meta", "id", "events", "pc", "marker"}


@pytest.mark.parametrize("by", ["node", "us"])
async def test_each_side_drains_what_the_other_added(
    queue: NodeObject, ours: Queue, raw: "redis.Redis", prefix: str, by: str
) -> None:
    await add_three("us" if by == "node" else "node", queue, ours)
    await (queue.drain() if by == "node" else ours.drain())
    assert left(raw, prefix) == {"3", "delayed"} | QUEUE_KEYS
    await (queue.drain(True) if by == "node" else ours.drain(delayed=True))
    assert left(raw, prefix) == QUEUE_KEYS


@pytest.mark.parametrize("by", ["node", "us"])
@pytest.mark.parametrize("state", ["waiting", "prioritized", "delayed", "completed", "failed", "active"])
async def test_each_side_cleans_what_the_other_made(
    node: NodePeer,
    queue: NodeObject,
    ours: Queue,
    raw: "redis.Redis",
    prefix: str,
    work: Work,
    by: str,
    state: str,
) -> None:
    if state in ("waiting", "prioritized", "delayed"):
        await add_three("us" if by == "node" else "node", queue, ours)
    else:
        name = {"completed": "report", "failed": "fail", "active": "hang"}[state]
        await (ours if by == "node" else queue).add(name, DATA[name])
        if by == "node":
            async with work():
                await eventually(lambda: has_counts(queue, **{state: 1}))
        else:
            worker = await node.worker("q")
            await eventually(lambda: has_counts(queue, **{state: 1}))
            await worker.close()
    if state == "active":
        raw.delete(f"{prefix}:q:1:lock")
        if by == "node":
            # What our worker handed back when it stopped is put where a dead worker leaves it.
            raw.delete(f"{prefix}:q:wait")
            raw.lpush(f"{prefix}:q:active", "1")
    ids = await (queue.clean(0, 0, state) if by == "node" else ours.clean(state))
    job_id = {"prioritized": "2", "delayed": "3"}.get(state, "1")
    assert ids == [job_id]
    jobs = {"1", "2", "3"} - {job_id} if state in ("waiting", "prioritized", "delayed") else set()
    places = {"1": "wait", "2": "prioritized", "3": "delayed"}
    expected = jobs | {places[each] for each in jobs}
    assert (
        left(raw, prefix) - QUEUE_KEYS - {"stalled-check", "stalled", "metrics:completed", "metrics:failed"}
        == expected
    )


DATA: dict[str, dict[str, Any]] = {
    "report": {"progress": [1], "lines": ["a"]},
    "fail": {"reason": "no"},
    "hang": {},
}


@pytest.mark.parametrize("by", ["node", "us"])
async def test_each_side_obliterates_what_the_other_made(
    node: NodePeer, queue: NodeObject, ours: Queue, raw: "redis.Redis", prefix: str, work: Work, by: str
) -> None:
    for name in ("report", "fail"):
        await (ours if by == "node" else queue).add(name, DATA[name])
    if by == "node":
        async with work():
            await eventually(lambda: has_counts(queue, completed=1, failed=1))
    else:
        worker = await node.worker("q")
        await eventually(lambda: has_counts(queue, completed=1, failed=1))
        await worker.close()
    await add_three("us" if by == "node" else "node", queue, ours)
    await queue.upsertJobScheduler("s", {"every": HOUR}, {"name": "echo"})
    await (queue.obliterate() if by == "node" else ours.obliterate())
    assert left(raw, prefix) - {"stalled-check:schedules"} == set()


async def test_we_leave_nothing_where_node_leaves_some(
    node: NodePeer, queue: NodeObject, ours: Queue, raw: "redis.Redis", prefix: str
) -> None:
    async def fill() -> None:
        child = {"name": "echo", "queueName": "k", "opts": {"jobId": "child"}}
        await (await node.flows()).add(
            {"name": "echo", "queueName": "q", "opts": {"jobId": "par"}, "children": [child]}
        )
        added = await queue.add("echo", 1, {"deduplication": {"id": "D", "ttl": HOUR}})
        raw.delete(f"{prefix}:q:{added['id']}")
        await queue.rateLimit(HOUR)

    await fill()
    await queue.obliterate()
    of_q = {name for name in left(raw, prefix) if not name.startswith(prefix)}
    assert of_q == {"par", "par:dependencies", "waiting-children", "limiter", "de:D"}
    await fill()
    await ours.obliterate()
    assert {name for name in left(raw, prefix) if not name.startswith(prefix)} == set()


async def test_nodes_sweep_for_lost_records_takes_nothing_of_ours(
    queue: NodeObject, ours: Queue, raw: "redis.Redis", prefix: str, work: Work
) -> None:
    await queue.upsertJobScheduler("s", {"every": HOUR}, {"name": "echo"})
    async with work(stalled_interval=5):
        await ours.add("echo", 1, deduplication="D")
        await eventually(lambda: has_counts(queue, completed=2, delayed=1))
        await eventually(lambda: _was_looked_for_runs(raw, prefix))
        assert await queue.removeOrphanedJobs() == 0


async def test_nodes_sweep_for_lost_records_takes_no_effects(
    queue: NodeObject, ours: Queue, raw: "redis.Redis", prefix: str, work: Work
) -> None:
    async def submit(job: Job[Any]) -> None:
        async with job.effect(job.id, max_duration="5s") as effect:
            if job.data == 1:
                effect.record({"id": job.data})
            else:
                effect.failed("no")

    async with work(submit):
        committed, failed = await ours.add("echo", 1), await ours.add("echo", 2)
        for job in (committed, failed):
            assert await job.wait_for_result(20) is None
    assert await queue.removeOrphanedJobs() == 0
    assert raw.hexists(f"{prefix}:q::effects:compact", committed.id)
    assert raw.exists(f"{prefix}:q::effect:{failed.id}", f"{prefix}:q::effects:settled") == 2
    for job in (committed, failed):
        assert await is_in(queue, "completed", job.id)


async def _was_looked_for_runs(raw: "redis.Redis", prefix: str) -> bool:
    return bool(raw.exists(f"{prefix}:q:stalled-check:schedules"))


async def test_a_schedules_run_that_waits_survives_our_draining(
    queue: NodeObject, ours: Queue, raw: "redis.Redis", prefix: str
) -> None:
    await queue.add("echo", 1)
    # Its first run is due at once; Node's own drain would lose it, and with it the schedule.
    run = await queue.upsertJobScheduler("s", {"every": HOUR}, {"name": "echo"})
    await queue.add("echo", 2)
    assert await ours.drain() == 2
    assert raw.lrange(f"{prefix}:q:wait", 0, -1) == [run["id"]]
    assert await is_in(queue, "waiting", run["id"])


@pytest.mark.parametrize("state", ["delayed", "failed"])
async def test_bulk_orders_keep_priorities(
    node: NodePeer, queue: NodeObject, events: NodeObject, ours: Queue, work: Work, state: str
) -> None:
    for priority in (3, 1, 2):
        options = {"priority": priority, "jobId": f"p{priority}"}
        if state == "delayed":
            await queue.add("echo", 1, {**options, "delay": HOUR})
        else:
            await queue.add("fail_first", {"times": 1}, options)
    if state == "failed":
        async with work():
            await eventually(lambda: has_counts(queue, failed=3))
        assert await ours.retry_all() == 3
    else:
        assert await ours.promote_all() == 3
        assert [job["delay"] for job in await queue.getJobs(["prioritized"])] == [0, 0, 0]
    before = len(await events.read("events"))
    await node.worker("q")
    await eventually(lambda: has_counts(queue, completed=3))
    started = [of["jobId"] for name, of in (await events.read("events"))[before:] if name == "active"]
    assert started == ["p1", "p2", "p3"]


async def test_node_is_told_of_our_orders(queue: NodeObject, events: NodeObject, ours: Queue) -> None:
    await ours.pause()
    job = await ours.add("echo", 1, delay="1h")
    await job.change_delay("2h")
    await job.promote()
    await job.remove()
    await ours.clean("waiting")
    await ours.publish_event("opened", {"by": "Zoë", "number": 5})
    await ours.resume()
    await eventually(lambda: _is_told(events, "resumed"))
    told = [
        (name, {**fields, "delay": "due"} if "delay" in fields else fields)
        for name, fields in await events.read("events")
    ]
    assert told == [
        ("paused", {}),
        ("added", {"jobId": "1", "name": "echo"}),
        ("delayed", {"jobId": "1", "delay": "due"}),
        ("delayed", {"jobId": "1", "delay": "due"}),
        ("waiting", {"jobId": "1", "prev": "delayed"}),
        ("removed", {"jobId": "1", "prev": "wait"}),
        ("cleaned", {"count": "0"}),
        ("opened", {"by": "Zoë", "number": "5"}),
        ("resumed", {}),
    ]
    assert await events.read("errors") == []


async def _is_told(events: NodeObject, name: str) -> bool:
    return name in await names_of(events)

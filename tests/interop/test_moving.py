"""Runs that leave active without an end of their job: the same keys and events by Node and by us, and by turns."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis

from stockyard import App, Queue, Router
from tests.interop.conftest import Work
from tests.interop.keyspace import dump
from tests.interop.tied_sides import NodeSide, OurSide, Side
from tests.support.node import NodeObject, NodePeer, has_counts, is_in, names_of
from tests.support.waiting import eventually

HOUR = 3_600_000
Steps = Callable[[Side], Awaitable[None]]


def leaving(*jobs: tuple[str, dict[str, Any], dict[str, Any]]) -> Steps:
    """Jobs that leave active once and then complete."""

    async def steps(side: Side) -> None:
        for name, data, options in jobs:
            await side.add(name, data, **options)
        async with side.work():
            await eventually(lambda: has_counts(side.queues["q"], completed=len(jobs)))

    return steps


async def waiting_for_children(side: Side) -> None:
    await side.add("await_children", jobId="parent")
    for number in (1, 2):
        await side.add("echo", number, queue="r", parent={"id": "parent", "queue": f"{side.prefix}:q"})
    async with side.work():
        await eventually(lambda: is_in(side.queues["q"], "waiting-children", "parent"))
        async with side.work("r"):
            await eventually(lambda: is_in(side.queues["q"], "completed", "parent"))


async def waiting_for_no_children(side: Side) -> None:
    await side.add("await_children", jobId="parent")
    async with side.work():
        await eventually(lambda: is_in(side.queues["q"], "completed", "parent"))


async def completing_beside_a_failed_child(side: Side) -> None:
    await side.add("slow", {"ms": 500}, jobId="parent", attempts=3)
    async with side.work():
        await eventually(lambda: is_in(side.queues["q"], "active", "parent"))
        tie = {"parent": {"id": "parent", "queue": f"{side.prefix}:q"}, "failParentOnFailure": True}
        await side.add("fail", {"reason": "no"}, queue="r", **tie)
        async with side.work("r"):
            await eventually(lambda: is_in(side.queues["q"], "failed", "parent"))


async def completing_before_a_child(side: Side) -> None:
    await side.add("nothing", 1, jobId="parent", attempts=2)
    await side.add("echo", 1, queue="r", delay=HOUR, parent={"id": "parent", "queue": f"{side.prefix}:q"})
    async with side.work():
        await eventually(lambda: is_in(side.queues["q"], "failed", "parent"))


async def keeping_the_newest_traces(side: Side) -> None:
    for limit in (0, 1, 2):
        await side.add("fail", {"reason": "no"}, attempts=3, stackTraceLimit=limit)
    async with side.work():
        await eventually(lambda: has_counts(side.queues["q"], failed=3))


STEPS: dict[str, Steps] = {
    "delaying": leaving(("delay_once", {"ms": 40}, {})),
    "delaying_by_nothing": leaving(("delay_once", {"ms": 0}, {})),
    "delaying_prioritized": leaving(("delay_once", {"ms": 40}, {"priority": 3})),
    "stepping_back": leaving(("wait_once", {}, {}), ("echo", {}, {})),
    "stepping_back_prioritized": leaving(("wait_once", {}, {"priority": 3}), ("echo", {}, {"priority": 3})),
    "limiting": leaving(("limit_once", {"ms": 60}, {})),
    "limiting_prioritized": leaving(("limit_once", {"ms": 60}, {"priority": 2, "attempts": 2})),
} | {
    steps.__name__: steps
    for steps in (
        waiting_for_children,
        waiting_for_no_children,
        completing_beside_a_failed_child,
        completing_before_a_child,
        keeping_the_newest_traces,
    )
}


@pytest.mark.parametrize("step", STEPS)
async def test_the_same_steps_leave_the_same_keys_and_events(
    node: NodePeer, open_app: Any, prefix: str, raw: "redis.Redis", work: Work, step: str
) -> None:
    left = []
    for name in ("node", "ours"):
        node.prefix = f"{prefix}:{name}"
        queues = {each: await node.queue(each) for each in "qr"}
        app: App = open_app(prefix=node.prefix, q={}, r={})
        side: Side = NodeSide(node, queues) if name == "node" else OurSide(app, queues, work)
        await STEPS[step](side)
        left.append(dump(raw, node.prefix))
    theirs, ours = left
    differences = {
        key: (theirs.get(key), ours.get(key)) for key in theirs | ours if theirs.get(key) != ours.get(key)
    }
    assert differences == {}


@pytest.mark.parametrize("first", ["node", "ours"])
@pytest.mark.parametrize("name", ["delay_once", "limit_once"])
async def test_one_takes_up_what_the_other_moved(
    node: NodePeer, ours: Queue, work: Work, raw: "redis.Redis", prefix: str, first: str, name: str
) -> None:
    job = await ours.add(name, {"ms": 300}, attempts=2)
    base = f"{prefix}:q"

    async def has_moved() -> bool:
        has_begun = "step" in json.loads(raw.hget(f"{base}:{job.id}", "data") or "{}")
        return has_begun and not raw.llen(f"{base}:active")

    if first == "node":
        worker = await node.worker("q")
        await eventually(has_moved)
        await worker.close()
        async with work():
            assert await job.wait_for_result(25) == 2
    else:
        async with work():
            await eventually(has_moved)
        await node.worker("q")
        assert await job.wait_for_result(25) == 2
    done = await job.refresh()
    assert (done.attempts_made, done.attempts_started) == (1, 2)


@pytest.mark.parametrize("parents", ["node", "ours"])
async def test_a_parent_waits_for_children_that_the_other_runs(
    node: NodePeer, open_app: Any, work: Work, raw: "redis.Redis", prefix: str, parents: str
) -> None:
    app: App = open_app(q={}, r={})
    parent = await app.queue("q").add("await_children")
    await app.queue("r").add_many([("echo", n, {"parent": parent}) for n in (1, 2)])

    async def waits() -> bool:
        return bool(raw.zscore(f"{prefix}:q:waiting-children", parent.id))

    if parents == "node":
        await node.worker("q")
        await eventually(waits)
        async with work(app=app, queue="r"):
            assert await parent.wait_for_result(25) == [1, 2]
    else:
        async with work(app=app):
            await eventually(waits)
            await node.worker("r")
            assert await parent.wait_for_result(25) == [1, 2]


async def test_node_hears_of_every_move(
    queue: NodeObject, events: NodeObject, ours: Queue, work: Work, raw: "redis.Redis"
) -> None:
    async with work():
        for name, data in (("delay_once", {"ms": 20}), ("wait_once", {}), ("limit_once", {"ms": 20})):
            await (await ours.add(name, data)).wait_for_result(25)
    await eventually(lambda: _has_told(events, completed=3))
    told = [name for name in await names_of(events) if name not in ("drained", "added")]
    aside = ["waiting", "active", "waiting", "active", "completed"]
    assert told == ["waiting", "active", "delayed", "waiting", "active", "completed", *aside, *aside]


async def _has_told(events: NodeObject, **counts: int) -> bool:
    names = await names_of(events)
    return all(names.count(name) == count for name, count in counts.items())


async def test_attempts_taken_by_turns(
    node: NodePeer, queue: NodeObject, events: NodeObject, ours: Queue, work: Work
) -> None:
    """Three attempts with a wait between them, taken by Node, by us, and by Node again."""
    job = await ours.add("fail", {"reason": "no"}, attempts=3, backoff=0.2)

    async def attempts(number: int) -> bool:
        return (await job.refresh()).attempts_made == number

    for number in (1, 2, 3):
        if number == 2:
            async with work():
                await eventually(lambda: attempts(2))
        else:
            worker = await node.worker("q")
            await eventually(lambda number=number: attempts(number))  # type: ignore[misc]
            await worker.close()
    done = await job.refresh()
    assert (done.attempts_made, done.attempts_started, len(done.stacktrace)) == (3, 3, 3)
    await eventually(lambda: _has_told(events, failed=1))
    names = await names_of(events)
    assert (names.count("failed"), names.count("retries-exhausted"), names.count("delayed")) == (1, 1, 2)


async def test_a_limit_from_our_handler_holds_node_s_workers(
    node: NodePeer, queue: NodeObject, ours: Queue, work: Work, raw: "redis.Redis", prefix: str
) -> None:
    """The job is at the tail of what waits, unharmed, and nobody starts it before the time is over."""
    router = Router()
    limited = asyncio.Event()

    @router.handler("limit_once")
    async def limit(job: Any) -> None:
        limited.set()
        await job.rate_limit(0.6)

    job = await ours.add("limit_once", {"step": 1})
    await ours.add("echo", 1)
    async with work(router):
        await limited.wait()
        await eventually(lambda: raw.get(f"{prefix}:q:limiter") == "9007199254740991")
    ends_at = time.time() * 1000 + raw.pttl(f"{prefix}:q:limiter")
    assert raw.lrange(f"{prefix}:q:wait", -1, -1) == [job.id]
    assert raw.hget(f"{prefix}:q:{job.id}", "atm") is None
    await node.worker("q", limiter={"max": 1000, "duration": 1000})
    await job.wait_for_result(25)
    await eventually(lambda: has_counts(queue, completed=2))
    started = [int(raw.hget(f"{prefix}:q:{each}", "processedOn") or 0) for each in ("1", "2")]
    assert min(started) >= ends_at - 5

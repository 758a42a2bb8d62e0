"""The same deduplicated adds, children and flows by Node and by us: every key and event must come out the same."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis

from stockyard import App
from tests.interop.conftest import Work
from tests.interop.keyspace import dump
from tests.interop.tied_sides import POLICIES, NodeSide, OurSide, Side
from tests.support.node import NodePeer, has_counts, is_in
from tests.support.waiting import eventually

HOUR = 3_600_000
Steps = Callable[[Side, "redis.Redis"], Awaitable[None]]


def deduplicating(*options: dict[str, Any], **ways: Any) -> Steps:
    """Adds one after the other, of the same deduplication id."""

    async def steps(side: Side, raw: "redis.Redis") -> None:
        for number, each in enumerate(options):
            await side.add("echo", number, **each, deduplication={"id": "BTC:5m", **ways})

    return steps


def with_an_owner_that_is_lost(**ways: Any) -> Steps:
    async def steps(side: Side, raw: "redis.Redis") -> None:
        options: dict[str, Any] = {"deduplication": {"id": "D", **ways}, "delay": HOUR}
        await side.add("echo", 1, **options)
        raw.delete(f"{side.prefix}:q:1")
        raw.zrem(f"{side.prefix}:q:delayed", "1")
        await side.add("echo", 2, **options)

    return steps


def while_the_owner_runs(**ways: Any) -> Steps:
    async def steps(side: Side, raw: "redis.Redis") -> None:
        options: dict[str, Any] = {"deduplication": {"id": "D", **ways}}
        async with side.work():
            await side.add("slow", {"ms": 500}, **options)
            await eventually(lambda: is_in(side.queues["q"], "active", "1"))
            await side.add("echo", 2, **options, priority=3)
            await side.add("echo", 3, **options, attempts=2, keepLogs=5)
            await eventually(lambda: has_counts(side.queues["q"], active=0, waiting=0, prioritized=0))
        await side.add("echo", 4, **options)

    return steps


async def own_ids_deduplicated(side: Side, raw: "redis.Redis") -> None:
    for job_id in ("a", "b", "a"):
        await side.add("echo", 1, jobId=job_id, deduplication={"id": "D"})


async def further_options(side: Side, raw: "redis.Redis") -> None:
    await side.add("echo", 1, keepLogs=5, stackTraceLimit=2, sizeLimit=100, telemetry={"metadata": "context"})
    await side.add("echo", 1, telemetry={"metadata": "context", "omitContext": True}, failParentOnFailure=True)
    await side.add("echo", 1, keepLogs=2, stackTraceLimit=1, priority=4, lifo=True)


async def children_of_a_job(side: Side, raw: "redis.Redis") -> None:
    place = {"queue": f"{side.prefix}:p"}
    assert await side.add("echo", 1, parent={**place, "id": "none"}) is None
    await side.add("gather", queue="p", jobId="par", delay=HOUR)
    await side.add("gather", queue="p", jobId="second", delay=HOUR)
    kinds: list[dict[str, Any]] = [{}, {"delay": HOUR}, {"priority": 3}, *({flag: True} for flag in POLICIES)]
    for options in (*kinds, {"jobId": "own"}):
        await side.add("echo", 1, **options, parent={**place, "id": "par"})
    await side.add("echo", 2, jobId="own", parent={**place, "id": "par"})
    await side.add("echo", 3, jobId="own")
    assert await side.add("echo", 4, jobId="own", parent={**place, "id": "second"}) is None
    raw.delete(f"{side.prefix}:p:par")
    raw.zrem(f"{side.prefix}:p:delayed", "par")
    await side.add("echo", 5, jobId="own", parent={**place, "id": "second"}, removeDependencyOnFailure=True)


async def children_that_have_ended(side: Side, raw: "redis.Redis") -> None:
    await side.add("echo", [1, "ö"], jobId="done")
    await side.add("fail", {"reason": "no"}, jobId="bad")
    async with side.work():
        await eventually(lambda: has_counts(side.queues["q"], completed=1, failed=1))
    await side.add("gather", queue="p", jobId="par", delay=HOUR)
    for job_id in ("done", "bad"):
        await side.add("echo", 1, jobId=job_id, parent={"id": "par", "queue": f"{side.prefix}:p"})


def node(job_id: str, queue: str, *children: dict[str, Any], name: str = "", **opts: Any) -> dict[str, Any]:
    tree = {"queueName": queue, "data": {"reason": "no"}, "opts": {"jobId": job_id, **opts}}
    return tree | {"name": name or ("gather" if children else "echo"), "children": list(children)}


async def trees(side: Side, raw: "redis.Redis") -> None:
    left = node("a", "q", node("a1", "p", delay=HOUR), node("a2", "q", lifo=True), node("a3", "r", priority=2))
    right = node("c", "p", node("c1", "q", node("c2", "q")), priority=5)
    await side.add_flow(node("root", "p", left, node("b", "q", attempts=3, backoff=500), right, delay=HOUR))
    await side.add_flow(node("alone", "q"))
    await side.add_flows(
        [node(f"t{each}", "q", node(f"u{each}", "q"), node(f"v{each}", "p")) for each in range(3)]
    )


async def trees_of_what_exists(side: Side, raw: "redis.Redis") -> None:
    for job_id in ("a", "b"):
        await side.add("echo", {"of": job_id}, jobId=job_id)
    async with side.work():
        await eventually(lambda: has_counts(side.queues["q"], completed=2))
    await side.add_flow(node("both", "p", node("a", "q"), node("b", "q"), priority=2))
    await side.add("echo", 1, jobId="c")
    await side.add_flow(node("one", "r", node("c", "q"), node("d", "q")))
    await side.add_flow(
        node("below", "q", parent={"id": "one", "queue": f"{side.prefix}:r"}, failParentOnFailure=True)
    )
    await side.add_flow(node("one", "r", node("e", "q")))


async def deduplicated_roots(side: Side, raw: "redis.Redis") -> None:
    for job_id in ("a", "b"):
        assert await side.add_flow(node(job_id, "q", deduplication={"id": "D"})) == "a"


async def a_tree_that_runs(side: Side, raw: "redis.Redis") -> None:
    middle = node("mid", "p", node("a", "q"), node("b", "q", priority=1))
    await side.add_flow(node("root", "q", middle, node("c", "q", delay=2000)))
    async with side.work():
        await eventually(lambda: has_counts(side.queues["q"], completed=3))
    async with side.work("p"):
        await eventually(lambda: has_counts(side.queues["p"], completed=1))
    async with side.work():
        await eventually(lambda: has_counts(side.queues["q"], completed=4))


def failing_below(lower: str | None, upper: str | None) -> Steps:
    """The lowest of three levels fails; what that means to its parent, and that parent's end to the one above."""

    async def steps(side: Side, raw: "redis.Redis") -> None:
        low: dict[str, Any] = {lower: True} if lower else {}
        high: dict[str, Any] = {upper: True} if upper else {}
        middle = node("mid", "p", node("bad", "q", name="fail", **low), node("good", "q"), **high)
        await side.add_flow(node("root", "r", middle, node("late", "q", delay=HOUR)))
        async with side.work():
            await eventually(lambda: has_counts(side.queues["q"], completed=1, failed=1))
        if lower is None:
            return
        async with side.work("p"):
            await eventually(lambda: has_counts(side.queues["p"], **{"waiting-children": 0}, waiting=0, active=0))
        if await is_in(side.queues["r"], "waiting", "root"):
            async with side.work("r"):
                await eventually(lambda: has_counts(side.queues["r"], waiting=0, active=0))

    return steps


async def failing_while_the_parent_is_delayed(side: Side, raw: "redis.Redis") -> None:
    await side.add("gather", queue="p", jobId="par", delay=HOUR)
    place = {"id": "par", "queue": f"{side.prefix}:p"}
    await side.add("fail", {"reason": "no"}, jobId="bad", parent=place, failParentOnFailure=True)
    async with side.work():
        await eventually(lambda: has_counts(side.queues["q"], failed=1))
    async with side.work("p"):
        await eventually(lambda: has_counts(side.queues["p"], failed=1))


def failing_while_the_parent_is(state: str, **options: Any) -> Steps:
    async def steps(side: Side, raw: "redis.Redis") -> None:
        await side.add("gather", queue="p", jobId="par", **options)
        place = {"id": "par", "queue": f"{side.prefix}:p"}
        if state in ("completed", "failed"):
            await side.add(
                "fail", {"reason": "no"}, jobId="bad", delay=HOUR, parent=place, failParentOnFailure=True
            )
            await side.queues["q"].job("bad", "removeChildDependency")
            async with side.work("p"):
                await eventually(lambda: is_in(side.queues["p"], state, "par"))
        else:
            await side.add("fail", {"reason": "no"}, jobId="bad", parent=place, failParentOnFailure=True)
        async with side.work():
            await eventually(lambda: has_counts(side.queues["q"], failed=1))

    return steps


WAYS: dict[str, dict[str, Any]] = {
    "simple": {},
    "throttle": {"ttl": HOUR},
    "extend": {"ttl": HOUR, "extend": True},
    "replace": {"replace": True},
    "reschedule": {"reschedule": True},
    "keep_last": {"keepLastIfActive": True},
    "keep_last_replaced": {"keepLastIfActive": True, "replace": True},
}
STEPS: dict[str, Steps] = {
    "simple": deduplicating({}, {"delay": HOUR}, {"priority": 2}),
    "throttle": deduplicating({"priority": 2}, {}, ttl=HOUR),
    "extend": deduplicating({}, {}, {"lifo": True}, ttl=HOUR, extend=True),
    "replace": deduplicating({"delay": HOUR}, {"delay": 2 * HOUR}, {"delay": HOUR, "priority": 3}, replace=True),
    "replace_throttled": deduplicating({"delay": HOUR}, {"delay": HOUR}, {}, {}, replace=True, ttl=HOUR),
    "replace_what_waits": deduplicating({}, {"delay": HOUR}, replace=True),
    "debounce": deduplicating(*[{"delay": HOUR}] * 3, ttl=HOUR, extend=True, replace=True),
    "reschedule": deduplicating({"delay": HOUR}, {"delay": 2 * HOUR}, {}, reschedule=True),
    "reschedule_throttled": deduplicating({"delay": HOUR}, {"delay": 5}, reschedule=True, ttl=HOUR),
    "reschedule_what_waits": deduplicating({}, {"delay": HOUR}, reschedule=True),
    "keep_last_of_what_waits": deduplicating({}, {}, keepLastIfActive=True),
    "keep_last_extended": deduplicating({}, {}, keepLastIfActive=True, ttl=HOUR, extend=True),
    "keep_last_replaced": deduplicating({"delay": HOUR}, {"delay": HOUR}, {}, keepLastIfActive=True, replace=True),
    **{f"{name}_while_the_owner_runs": while_the_owner_runs(**ways) for name, ways in WAYS.items()},
    **{f"{name}_with_an_owner_that_is_lost": with_an_owner_that_is_lost(**ways) for name, ways in WAYS.items()},
    **{
        f"failing_{lower}_below_{upper}": failing_below(lower, upper)
        for lower, upper in [
            (None, None),
            *((lower, upper) for lower in POLICIES for upper in (None, "failParentOnFailure")),
            *(("failParentOnFailure", upper) for upper in list(POLICIES)[1:]),
        ]
    },
    "failing_while_the_parent_waits": failing_while_the_parent_is("waiting"),
    "failing_while_the_parent_is_prioritized": failing_while_the_parent_is("prioritized", priority=2),
    **{
        step.__name__: step
        for step in (
            own_ids_deduplicated,
            further_options,
            children_of_a_job,
            children_that_have_ended,
            trees,
            trees_of_what_exists,
            deduplicated_roots,
            a_tree_that_runs,
            failing_while_the_parent_is_delayed,
        )
    },
}


@pytest.mark.parametrize("step", STEPS)
async def test_the_same_steps_leave_the_same_keys_and_events(
    node: NodePeer, open_app: Any, prefix: str, raw: "redis.Redis", work: Work, step: str
) -> None:
    left = []
    for name in ("node", "ours"):
        node.prefix = f"{prefix}:{name}"
        queues = {each: await node.queue(each) for each in "pqr"}
        app: App = open_app(prefix=node.prefix, p={}, q={}, r={})
        side: Side = NodeSide(node, queues) if name == "node" else OurSide(app, queues, work)
        await STEPS[step](side, raw)
        left.append(dump(raw, node.prefix) | windows(raw, node.prefix))
    theirs, ours = left
    assert {
        key: (theirs.get(key), ours.get(key)) for key in theirs | ours if theirs.get(key) != ours.get(key)
    } == {}


def windows(raw: Any, prefix: str) -> dict[str, bool]:
    """Which deduplication ids are taken for a time only."""
    return {
        f"has time: {key.removeprefix(prefix)}": raw.pttl(key) > 0 for key in raw.scan_iter(f"{prefix}:*:de:*")
    }

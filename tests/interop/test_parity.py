"""The same steps by Node and by us, on keys of their own: every key and every event must come out the same."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import pytest
import redis

from stockyard import App, Queue
from tests.interop.conftest import Work
from tests.interop.keyspace import dump
from tests.interop.test_flows import FLAGS, child, family
from tests.support.node import NodeObject, NodePeer, has_counts, is_in
from tests.support.waiting import eventually

HOUR = 3_600_000


class Side(Protocol):
    """One of the two: adds, works and edits; ``queue`` is Node's, to look."""

    queue: NodeObject
    node: NodePeer

    async def add(self, name: str, data: Any, **options: Any) -> str: ...
    async def add_many(self, jobs: list[tuple[str, Any, dict[str, Any]]]) -> None: ...
    async def edit(self, job_id: str, method: str) -> None: ...
    def work(self) -> AbstractAsyncContextManager[Any]: ...


class Node:
    def __init__(self, node: NodePeer, queue: NodeObject) -> None:
        self.node = node
        self.queue = queue

    async def add(self, name: str, data: Any, **options: Any) -> str:
        return str((await self.queue.add(name, data, options))["id"])

    async def add_many(self, jobs: list[tuple[str, Any, dict[str, Any]]]) -> None:
        await self.queue.addBulk([{"name": name, "data": data, "opts": options} for name, data, options in jobs])

    async def edit(self, job_id: str, method: str) -> None:
        # Node must be told what it could look up.
        state = [await self.queue.getJobState(job_id)] if method == "retry" else []
        await self.queue.job(job_id, method, *state)

    def work(self) -> AbstractAsyncContextManager[Any]:
        return _NodeWork(self.node)


class _NodeWork:
    def __init__(self, node: NodePeer) -> None:
        self._node = node

    async def __aenter__(self) -> NodeObject:
        self._worker = await self._node.worker("q", metrics={"maxDataPoints": 20_160})
        return self._worker

    async def __aexit__(self, *_: object) -> None:
        await self._worker.close()


class Ours:
    def __init__(self, node: NodePeer, queue: NodeObject, app: App, work: Work) -> None:
        self.node = node
        self.queue = queue
        self._ours: Queue = app.queue("q")
        self._app = app
        self._work = work

    async def add(self, name: str, data: Any, **options: Any) -> str:
        return (await self._ours.add(name, data, **_in_our_words(options))).id

    async def add_many(self, jobs: list[tuple[str, Any, dict[str, Any]]]) -> None:
        await self._ours.add_many([(name, data, _in_our_words(options)) for name, data, options in jobs])

    async def edit(self, job_id: str, method: str) -> None:
        job = await self._ours.get_job(job_id)
        assert job is not None
        await getattr(job, method)(**({"state": str(await job.state())} if method == "retry" else {}))

    def work(self) -> AbstractAsyncContextManager[Any]:
        return self._work(app=self._app)


def _in_our_words(options: dict[str, Any]) -> dict[str, Any]:
    words = {"jobId": "job_id", "removeOnComplete": "remove_on_complete", "removeOnFail": "remove_on_fail"}
    ours = {words.get(name, name): value for name, value in options.items()}
    return ours | {name: ours[name] / 1000 for name in ("delay", "backoff") if name in ours}


async def adding(side: Side) -> None:
    await side.add("echo", {"text": "Zoë/1", "n": 1.5})
    await side.add("echo", {}, lifo=True)
    await side.add("echo", "text", delay=HOUR, priority=4)
    await side.add("echo", 1, priority=5)
    await side.add("echo", 1, priority=5, lifo=True)
    await side.add("echo", [], jobId="own", attempts=3, backoff=1000)
    await side.add("echo", [2], jobId="own")
    await side.add("echo", False, removeOnComplete=True, removeOnFail=5)
    await side.add_many(
        [("echo", 1, {}), ("echo", 2, {"lifo": True}), ("echo", 3, {}), ("echo", 4, {"priority": 1})]
    )
    await side.add_many(
        [("echo", 5, {"delay": HOUR}), ("echo", 6, {"jobId": "own"}), ("echo", 7, {"jobId": "new"})]
    )


async def completing(side: Side) -> None:
    for data in ({"a": [1, None]}, "text", False, 2.5):
        await side.add("echo", data)
    await side.add("nothing", 1)
    await side.add("echo", 1, priority=2)
    await side.add("report", {"progress": [5, {"p": "ö"}], "lines": ["one", "two"]})
    async with side.work():
        await eventually(lambda: has_counts(side.queue, completed=7))


async def failing(side: Side) -> None:
    await side.add("fail", {"reason": "no\nway"})
    await side.add("fail_for_good", {"reason": "closed"}, attempts=3)
    await side.add("fail", {"reason": "again"}, attempts=2)
    async with side.work():
        await eventually(lambda: has_counts(side.queue, failed=3))


async def retrying(side: Side) -> None:
    await side.add("fail_first", {"times": 2}, attempts=3, backoff=20)
    async with side.work():
        await eventually(lambda: has_counts(side.queue, completed=1))


async def retrying_at_once(side: Side) -> None:
    for options in ({}, {"lifo": True}, {"priority": 3}):
        await side.add("fail_first", {"times": 1}, attempts=2, **options)
    async with side.work():
        await eventually(lambda: has_counts(side.queue, completed=3))


async def waiting_to_retry(side: Side) -> None:
    await side.add("fail", {"reason": "no"}, attempts=2, backoff=HOUR)
    async with side.work():
        await eventually(lambda: is_in(side.queue, "delayed", "1"))


async def running_what_is_due(side: Side) -> None:
    await side.add("echo", 1, delay=1)
    await side.add("echo", 2, delay=2, priority=3)
    # Both are due before the worker begins, however quickly it does.
    added = time.time()
    await eventually(lambda: time.time() > added + 0.002)
    async with side.work():
        await eventually(lambda: has_counts(side.queue, completed=2))


async def keeping_few(side: Side) -> None:
    for name in ("echo", "fail"):
        for keep in (True, 1, 2, 0, False):
            await side.add(name, {"reason": "no"}, removeOnComplete=keep, removeOnFail=keep)
    async with side.work():
        await eventually(lambda: has_counts(side.queue, waiting=0, active=0))


async def removing(side: Side) -> None:
    for options in ({}, {"priority": 1}, {"delay": HOUR}):
        await side.add("echo", 1, **options)
    for job_id in ("1", "2", "3"):
        await side.edit(job_id, "remove")
    await side.add("echo", 1)
    async with side.work():
        await eventually(lambda: has_counts(side.queue, completed=1))
    await side.edit("4", "remove")


async def promoting(side: Side) -> None:
    await side.add("echo", 1, delay=HOUR)
    await side.add("echo", 2, delay=HOUR, priority=3)
    await side.add("echo", 3, delay=HOUR)
    await side.edit("1", "promote")
    await side.edit("2", "promote")


async def running_again(side: Side) -> None:
    await side.add("echo", 1)
    await side.add("fail", {"reason": "no"}, priority=2)
    async with side.work():
        await eventually(lambda: has_counts(side.queue, completed=1, failed=1))
    await side.edit("1", "retry")
    await side.edit("2", "retry")


async def keeping_the_last(side: Side) -> None:
    options = {"deduplication": {"id": "D", "keepLastIfActive": True}}
    async with side.work():
        await side.queue.add("slow", {"ms": 150}, options)
        await eventually(lambda: is_in(side.queue, "active", "1"))
        await side.queue.add("echo", 2, {**options, "priority": 3})
        await side.queue.add("echo", 3, options)
        await eventually(lambda: has_counts(side.queue, completed=2))


async def ending_deduplicated(side: Side) -> None:
    await side.queue.add("echo", 1, {"deduplication": {"id": "simple"}})
    await side.queue.add("echo", 2, {"deduplication": {"id": "window", "ttl": HOUR}})
    await side.queue.add("fail", {"reason": "no"}, {"deduplication": {"id": "failing"}})
    async with side.work():
        await eventually(lambda: has_counts(side.queue, completed=2, failed=1))


def flow(flag: str | None, **parent: Any) -> Callable[[Side], Awaitable[None]]:
    async def failing_a_child(side: Side) -> None:
        asked = {FLAGS[flag]: True} if flag else {}
        tree = family(child("bad", "fail", {"reason": "no"}, **asked), child("good", delay=1500), **parent)
        await (await side.node.flows()).add(tree)
        async with side.work():
            await eventually(lambda: has_counts(side.queue, completed=1, failed=1))

    return failing_a_child


async def leaving_no_record_of_children(side: Side) -> None:
    tree = family(child("a", removeOnComplete=True), child("b", "fail", {"reason": "no"}, removeOnFail=True))
    await (await side.node.flows()).add(tree)
    async with side.work():
        await eventually(lambda: has_counts(side.queue, waiting=0, active=0))


STEPS: dict[str, Callable[[Side], Awaitable[None]]] = {
    step.__name__: step
    for step in (
        adding,
        completing,
        failing,
        retrying,
        retrying_at_once,
        waiting_to_retry,
        running_what_is_due,
        keeping_few,
        removing,
        promoting,
        running_again,
        keeping_the_last,
        ending_deduplicated,
        leaving_no_record_of_children,
    )
} | {
    "child_failing_without_flag": flow(None),
    **{f"child_failing_{flag}": flow(flag) for flag in FLAGS},
    "child_failing_fpof_delayed_parent": flow("fpof", delay=HOUR),
    "child_failing_idof_delayed_parent": flow("idof", delay=HOUR),
    "child_failing_cpof_prioritized_parent": flow("cpof", priority=3),
}


@pytest.mark.parametrize("step", STEPS)
async def test_the_same_steps_leave_the_same_keys_and_events(
    node: NodePeer, app: App, open_app: Any, prefix: str, raw: "redis.Redis", work: Work, step: str
) -> None:
    left = []
    for name in ("node", "ours"):
        node.prefix = f"{prefix}:{name}"
        queue = await node.queue("q")
        side: Side = Node(node, queue)
        if name == "ours":
            side = Ours(node, queue, open_app(prefix=node.prefix, q={}), work)
        await STEPS[step](side)
        left.append(dump(raw, node.prefix))
    theirs, ours = left
    assert ours == theirs

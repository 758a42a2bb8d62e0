"""What operators do, by Node and by us, to equal queues that Node made: keys and events must come out the same."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis

from stockyard import App, Queue
from tests.interop.keyspace import dump
from tests.support.node import NodeObject, NodePeer, has_counts
from tests.support.waiting import eventually

HOUR = 3_600_000

QUEUE_ORDERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "pause": (lambda node: node.pause(), lambda ours: ours.pause()),
    "resume": (lambda node: node.resume(), lambda ours: ours.resume()),
    "concurrency": (
        lambda node, limit: node.setGlobalConcurrency(limit) if limit else node.removeGlobalConcurrency(),
        lambda ours, limit: ours.set_concurrency(limit),
    ),
    "rate": (
        lambda node, *rate: node.setGlobalRateLimit(*rate) if rate else node.removeGlobalRateLimit(),
        lambda ours, *rate: ours.set_rate("{}/{}ms".format(*rate) if rate else None),
    ),
    "hold": (lambda node, ms: node.rateLimit(ms), lambda ours, ms: ours.rate_limit(ms / 1000)),
    "let go": (lambda node: node.removeRateLimitKey(), lambda ours: ours.clear_rate_limit()),
    "drain": (lambda node, delayed: node.drain(delayed), lambda ours, delayed: ours.drain(delayed=delayed)),
    "clean": (
        lambda node, state, limit: node.clean(0, limit, state),
        lambda ours, state, limit: ours.clean(state, limit=limit),
    ),
    "obliterate": (
        lambda node, force: node.obliterate({"force": force}),
        lambda ours, force: ours.obliterate(force=force),
    ),
    "retry all": (lambda node, state: node.retryJobs({"state": state}), lambda ours, state: ours.retry_all(state)),
    "promote all": (lambda node: node.promoteJobs(), lambda ours: ours.promote_all()),
    "remove": (
        lambda node, job_id, children: node.remove(job_id, {"removeChildren": children}),
        lambda ours, job_id, children: ours.remove(job_id, children=children),
    ),
    "release": (lambda node, of: node.removeDeduplicationKey(of), lambda ours, of: ours.release_deduplication(of)),
    "trim": (lambda node, length: node.trimEvents(length), lambda ours, length: ours.trim_events(length)),
}

AGAIN = {"resetAttemptsMade": True, "resetAttemptsStarted": True}

JOB_ORDERS: dict[str, tuple[Callable[..., tuple[Any, ...]], Callable[..., Any]]] = {
    "delay": (lambda ms: ("changeDelay", ms), lambda job, ms: job.change_delay(ms / 1000)),
    "priority": (
        lambda priority, lifo: ("changePriority", {"priority": priority, "lifo": lifo}),
        lambda job, priority, lifo: job.change_priority(priority, lifo=lifo),
    ),
    "data": (lambda data: ("updateData", data), lambda job, data: job.update_data(data)),
    "clear logs": (lambda keep: ("clearLogs", keep), lambda job, keep: job.clear_logs(keep)),
    "promote": (lambda: ("promote",), lambda job: job.promote()),
    "begin again": (
        lambda state: ("retry", state, AGAIN),
        lambda job, state: job.retry(state=state, reset_attempts=True),
    ),
    "remove": (lambda: ("remove",), lambda job: job.remove()),
    "remove children": (lambda: ("removeUnprocessedChildren",), lambda job: job.remove_unprocessed_children()),
}


class Operator:
    """Gives orders to a queue through either side; ``node`` and ``queue`` make what they are about."""

    def __init__(self, node: NodePeer, queue: NodeObject, ours: Queue, *, is_node: bool) -> None:
        self.node = node
        self.queue = queue
        self._ours = ours
        self._is_node = is_node

    async def ask(self, order: str, *args: Any) -> None:
        by_node, by_us = QUEUE_ORDERS[order]
        await (by_node(self.queue, *args) if self._is_node else by_us(self._ours, *args))

    async def job(self, job_id: str, order: str, *args: Any) -> None:
        by_node, by_us = JOB_ORDERS[order]
        if self._is_node:
            await self.queue.job(job_id, *by_node(*args))
        else:
            await by_us(await self._ours.get_job(job_id), *args)

    async def publish(self, name: str, **fields: str) -> None:
        if self._is_node:
            producer = await self.node.make("QueueEventsProducer", "q")
            await producer.publishEvent({"eventName": name, **fields})
        else:
            await self._ours.publish_event(name, fields)


Step = Callable[[Operator], Awaitable[None]]


async def fill(by: Operator, **numbers: int) -> None:
    """Add jobs that are to be in these states when this returns; what ran was run by Node."""
    completed, failed, active = (numbers.get(state, 0) for state in ("completed", "failed", "active"))
    for name, number in (("echo", completed), ("fail", failed)):
        for _ in range(number):
            await by.queue.add(name, {"reason": "no"}, {"attempts": 2})
    if completed or failed:
        await run_all(by, completed=completed, failed=failed)
    if active:
        for _ in range(active):
            await by.queue.add("hang", 1)
        worker = await by.node.worker("q", concurrency=active)
        await eventually(lambda: has_counts(by.queue, active=active))
        await worker.close()
    for state, options in (("waiting", {}), ("prioritized", {"priority": 2}), ("delayed", {"delay": HOUR})):
        for _ in range(numbers.get(state, 0)):
            await by.queue.add("echo", 1, options)


async def run_all(by: Operator, **counts: int) -> None:
    worker = await by.node.worker("q")
    await eventually(lambda: has_counts(by.queue, **counts))
    await worker.close()


async def grow(by: Operator, *, parent: str, **options: Any) -> None:
    """Add a parent, in the queue of that name, that waits for one job in ``q``."""
    child = {"name": "echo", "queueName": "q", "data": 1, "opts": {"jobId": "child", **options}}
    tree = {"name": "echo", "queueName": parent, "data": 1, "opts": {"jobId": "par"}, "children": [child]}
    await (await by.node.flows()).add(tree)


async def pausing(by: Operator) -> None:
    await fill(by, waiting=2, prioritized=1, delayed=1)
    await by.ask("pause")
    await fill(by, waiting=1)
    await by.ask("pause")
    await by.ask("resume")
    await fill(by, waiting=1)
    await by.ask("resume")
    await by.ask("pause")


async def limiting(by: Operator) -> None:
    await by.ask("concurrency", 3)
    await by.ask("rate", 5, 1000)
    await by.ask("hold", HOUR)


async def limiting_no_more(by: Operator) -> None:
    await limiting(by)
    await by.ask("concurrency", None)
    await by.ask("rate")
    await by.ask("let go")


async def publishing(by: Operator) -> None:
    await by.publish("opened", by="Zoë", number="1")


async def trimming(by: Operator) -> None:
    await fill(by, waiting=130)
    await by.ask("trim", 0)


async def releasing(by: Operator) -> None:
    for name in ("free", "kept"):
        await by.queue.add("echo", 1, {"deduplication": {"id": name}})
    await by.ask("release", "free")
    await by.ask("release", "unknown")


def draining(*, delayed: bool) -> Step:
    async def drain(by: Operator) -> None:
        await fill(by, completed=1, failed=1, active=1, waiting=2, prioritized=2, delayed=2)
        await by.queue.add("echo", 1, {"deduplication": {"id": "D"}, "delay": HOUR})
        await by.queue.upsertJobScheduler("s", {"pattern": "0 0 1 1 *"}, {"name": "echo"})
        await by.ask("drain", delayed)

    return drain


def cleaning(state: str, limit: int) -> Step:
    async def clean(by: Operator) -> None:
        await fill(by, completed=3, failed=3, active=2, waiting=3, prioritized=3, delayed=3)
        await by.ask("clean", state, limit)

    return clean


def draining_children(parent: str, **options: Any) -> Step:
    async def drain(by: Operator) -> None:
        await grow(by, parent=parent, **options)
        await by.ask("drain", True)

    return drain


async def retrying_failed(by: Operator) -> None:
    await fill(by, completed=1, failed=3, waiting=1)
    await by.ask("retry all", "failed")


async def retrying_completed(by: Operator) -> None:
    await fill(by, completed=2)
    await grow(by, parent="k")
    await run_all(by, completed=3)
    # With us a parent that has not begun waits for the child again.
    parents, worker = await by.node.queue("k"), await by.node.worker("k")
    await eventually(lambda: has_counts(parents, completed=1))
    await worker.close()
    await by.ask("retry all", "completed")


async def promoting_all(by: Operator) -> None:
    await fill(by, waiting=1, delayed=3)
    await by.ask("promote all")


async def editing(by: Operator) -> None:
    await fill(by, waiting=3, prioritized=2, delayed=2)
    await by.job("6", "delay", 2 * HOUR)
    await by.job("7", "delay", 0)
    await by.job("1", "priority", 2, False)
    await by.job("2", "priority", 2, True)
    await by.job("3", "priority", 0, False)
    await by.job("4", "priority", 0, True)
    await by.job("5", "priority", 9, False)
    await by.job("6", "priority", 9, False)
    await by.job("1", "data", {"text": "Zoë/1", "list": []})


async def keeping_logs(by: Operator) -> None:
    await fill(by, waiting=2)
    for job_id in ("1", "2"):
        for line in ("a", "b", "c"):
            await by.queue.job(job_id, "log", line)
    await by.job("1", "clear logs", 2)
    await by.job("2", "clear logs", 0)


async def beginning_again(by: Operator) -> None:
    await fill(by, completed=1, failed=1)
    await by.job("1", "begin again", "completed")
    await by.job("2", "begin again", "failed")


def removing(*, children: bool) -> Step:
    async def remove(by: Operator) -> None:
        await grow(by, parent="q")
        await by.ask("remove", "par", children)

    return remove


async def removing_below(by: Operator) -> None:
    await grow(by, parent="q", delay=HOUR)
    await by.job("par", "remove children")


async def removing_a_child(by: Operator) -> None:
    await grow(by, parent="q")
    await by.job("child", "remove")


async def removing_what_ended(by: Operator) -> None:
    await grow(by, parent="q")
    await run_all(by, completed=2)
    await by.job("par", "remove")


def obliterating(*, force: bool) -> Step:
    async def obliterate(by: Operator) -> None:
        await fill(by, completed=2, failed=2, active=2 if force else 0, waiting=2, prioritized=2, delayed=2)
        await grow(by, parent="q")
        await by.queue.upsertJobScheduler("s", {"pattern": "0 0 1 1 *"}, {"name": "echo"})
        await by.queue.add("echo", 1, {"deduplication": {"id": "D"}})
        await by.ask("obliterate", force)

    return obliterate


STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (
        pausing,
        limiting,
        limiting_no_more,
        publishing,
        trimming,
        releasing,
        retrying_failed,
        retrying_completed,
        promoting_all,
        editing,
        keeping_logs,
        beginning_again,
        removing_below,
        removing_a_child,
        removing_what_ended,
    )
} | {
    "draining": draining(delayed=False),
    "draining_with_delayed": draining(delayed=True),
    "draining_children_of_the_same_queue": draining_children("q"),
    "draining_children_of_another_queue": draining_children("k", delay=HOUR),
    "removing_with_children": removing(children=True),
    "removing_without_children": removing(children=False),
    "obliterating": obliterating(force=False),
    "obliterating_what_runs": obliterating(force=True),
    **{
        f"cleaning_{limit or 'all'}_{state}": cleaning(state, limit)
        for state in ("waiting", "prioritized", "delayed", "active", "completed", "failed")
        for limit in (0, 2)
    },
}


@pytest.mark.parametrize("step", STEPS)
async def test_the_same_orders_leave_the_same_keys_and_events(
    node: NodePeer, open_app: Callable[..., App], prefix: str, raw: "redis.Redis", step: str
) -> None:
    left = []
    for side in ("node", "ours"):
        node.prefix = f"{prefix}:{side}"
        ours = open_app(prefix=node.prefix, q={}).queue("q")
        await STEPS[step](Operator(node, await node.queue("q"), ours, is_node=side == "node"))
        left.append({name: _plain(step, name, value) for name, value in dump(raw, node.prefix).items()})
    theirs, of_ours = left
    assert of_ours == theirs


def _plain(step: str, name: str, value: Any) -> Any:
    if name.endswith(":lock"):
        return "a token"
    if step == "promoting_all" and "delay" in value:
        # Node leaves it as it was, which nobody reads of a job that waits.
        return {**value, "delay": "0"}
    if step.startswith("draining") and name == "q:events":
        # We say so to those who wait for results; Node says nothing.
        return [event for event in value if event[0] != ["event", "cleaned"]]
    if name.startswith("q:repeat:s:"):
        # Its delay ends at the same moment, so it depends on when the schedule was made.
        return sorted(value)
    return value

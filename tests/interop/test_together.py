"""Workers of Node and of ours on one queue."""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from stockyard import App, Job
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts, is_drained, is_in, names_of
from tests.support.waiting import eventually

RUN_SECONDS = 0.001
"""How long a job takes at least, so that both fleets get some."""


async def test_two_thousand_jobs_are_each_processed_once(
    node: NodePeer, queue: NodeObject, events: NodeObject, app: App, work: Work
) -> None:
    ours = app.queue("q")
    here: list[str] = []

    async def handle(job: Job[int]) -> int:
        here.append(job.id)
        await asyncio.sleep(RUN_SECONDS)
        return job.data

    worker = await node.worker("q", concurrency=10)
    async with work(handle, concurrency=10):
        for start in range(0, 1000, 100):
            await queue.addBulk([{"name": "echo", "data": start + at} for at in range(100)])
            await ours.add_many([("echo", 1000 + start + at) for at in range(100)])
        await eventually(lambda: has_counts(queue, completed=2000), within=60)

    there = [job["id"] for job in await worker.read("started")]
    assert here
    assert there
    assert Counter(here + there) == Counter(str(number) for number in range(1, 2001))
    results = [job["returnvalue"] for job in await queue.getJobs(["completed"])]
    assert sorted(results) == list(range(2000))
    assert await has_counts(queue, waiting=0, active=0, failed=0)
    assert (await names_of(events)).count("completed") == 2000


async def test_every_idle_worker_is_woken(node: NodePeer, queue: NodeObject, app: App, work: Work) -> None:
    # Nobody looks by itself: a minute is longer than the test waits.
    for _ in range(3):
        await node.worker("q", drainDelay=60)
    options: dict[str, Any] = {"drain_delay": 60, "concurrency": 1}
    async with work(**options), work(**options), work(**options):
        await eventually(lambda: _waits(queue, 6))
        await queue.addBulk([{"name": "hang", "data": {}} for _ in range(6)])
        await eventually(lambda: has_counts(queue, active=6), within=8)
    await eventually(lambda: has_counts(queue, active=3, waiting=3))


async def test_every_idle_worker_is_woken_by_us(node: NodePeer, queue: NodeObject, app: App, work: Work) -> None:
    for _ in range(3):
        await node.worker("q", drainDelay=60)
    options: dict[str, Any] = {"drain_delay": 60, "concurrency": 1}
    async with work(**options), work(**options), work(**options):
        await eventually(lambda: _waits(queue, 6))
        await app.queue("q").add_many([("hang", {})] * 6)
        await eventually(lambda: has_counts(queue, active=6), within=8)


async def test_attempts_of_one_job_add_up_over_both(
    node: NodePeer, queue: NodeObject, events: NodeObject, app: App, work: Work
) -> None:
    """Each worker in turn takes one attempt and leaves."""
    options = {"attempts": 4, "backoff": {"type": "fixed", "delay": 3_600_000}}
    added = await queue.add("fail", {"reason": "no"}, options)
    for attempt in (1, 2, 3, 4):
        if attempt % 2:
            async with work():
                await eventually(partial(_has_made, queue, attempt))
        else:
            worker = await node.worker("q")
            await eventually(partial(_has_made, queue, attempt))
            await worker.close()
        if attempt < 4:
            await queue.job(added["id"], "promote")

    stored = await queue.getJob(added["id"])
    assert (stored["attemptsMade"], stored["attemptsStarted"], len(stored["stacktrace"])) == (4, 4, 4)
    assert await is_in(queue, "failed", added["id"])
    await eventually(lambda: is_drained(events))
    names = await names_of(events)
    assert (names.count("failed"), names.count("retries-exhausted"), names.count("delayed")) == (1, 1, 3)


@pytest.mark.parametrize(("head", "listed"), [("portfolio", 1), ("{eu}:börse", 0)])
async def test_a_queue_with_a_colon_is_shared(
    node: NodePeer, open_app: Callable[..., App], prefix: str, work: Work, head: str, listed: int
) -> None:
    """Node refuses a colon in a name; it reaches the same keys by a longer prefix.

    It looks for workers, and names its readers of events, by a name that servers take for no connection if that
    prefix is not ASCII.
    """
    app = open_app(**{f"{head}:höchst": {"concurrency": 2}})
    name, longer = "höchst", f"{prefix}:{head}"
    queue = await node.queue(name, prefix=longer)
    async with work(app=app, queue=f"{head}:höchst"):
        theirs = await queue.add("echo", "to us")
        await eventually(lambda: is_in(queue, "completed", theirs["id"]))
        assert (await queue.getJob(theirs["id"]))["returnvalue"] == "to us"
        assert len(await queue.getWorkers()) == listed
        assert len(await app.queue(f"{head}:höchst").workers()) == 1
    await node.worker(name, prefix=longer)
    mine = await app.queue(f"{head}:höchst").add("echo", "to Node")
    assert await mine.wait_for_result(5) == "to Node"


async def _has_made(queue: NodeObject, attempts: int) -> bool:
    job = await queue.getJob("1")
    return bool(job["attemptsMade"] == attempts) and not await is_in(queue, "active", "1")


async def _waits(queue: NodeObject, number: int) -> bool:
    return bool(await queue.getWorkersCount() == number)

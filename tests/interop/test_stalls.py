"""Jobs whose worker died or lost its lock, handed from one side to the other."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from stockyard import App, Job
from tests.interop.conftest import Work
from tests.support.forked import Forked
from tests.support.node import NodeObject, NodePeer, is_drained, is_in, names_of
from tests.support.waiting import eventually

LOCK_MS = 600
NODE = {"lockDuration": LOCK_MS, "stalledInterval": LOCK_MS // 2}
GIVEN_UP = "job stalled more than allowable limit"


@pytest.fixture
async def app(open_app: Callable[..., App]) -> App:
    """Our app, with short leases."""
    return open_app(q={"lock": LOCK_MS / 1000})


@pytest.fixture
async def doomed_node(redis_url: str, prefix: str) -> AsyncIterator[NodePeer]:
    """Another Node process, to be killed."""
    peer = NodePeer(redis_url, prefix)
    yield peer
    peer.stop()


@contextmanager
def doomed_worker(url: str, prefix: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours, killed at the end of the block if not before."""
    process = Forked[bytes]([sys.executable, "-m", "tests.interop.doomed_worker", url, prefix, str(LOCK_MS)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_a_job_of_a_killed_node_is_run_by_us(
    doomed_node: NodePeer, queue: NodeObject, events: NodeObject, work: Work
) -> None:
    await doomed_node.worker("q", **NODE)
    added = await queue.add("hang", {})
    await eventually(lambda: is_in(queue, "active", added["id"]))
    doomed_node.kill()

    async def handle(job: Job[Any]) -> list[int]:
        return [job.attempt, job.attempts_started, job.stalled_count]

    async with work(handle):
        assert await queue.job(added["id"], "waitUntilFinished", events, 10_000) == [1, 2, 1]
    stored = await queue.getJob(added["id"])
    assert (stored["attemptsMade"], stored["attemptsStarted"], stored["stalledCounter"]) == (1, 2, 1)
    told = [name for name in await names_of(events) if name != "drained"]
    assert told == ["added", "waiting", "active", "waiting", "stalled", "active", "completed"]


async def test_our_job_is_run_by_node_after_we_were_killed(
    node: NodePeer, redis_url: str, prefix: str, queue: NodeObject, events: NodeObject, raw: Any
) -> None:
    added = await queue.add("hang", {})
    with doomed_worker(redis_url, prefix):
        await eventually(lambda: is_in(queue, "active", added["id"]))
    # So that the one who takes over can end it.
    raw.hset(f"{prefix}:q:{added['id']}", "name", "echo")
    await node.worker("q", **NODE)
    assert await queue.job(added["id"], "waitUntilFinished", events, 10_000) == {}
    stored = await queue.getJob(added["id"])
    assert (stored["attemptsMade"], stored["attemptsStarted"], stored["stalledCounter"]) == (1, 2, 1)
    assert (await names_of(events)).count("stalled") == 1


async def test_a_job_that_killed_two_of_node_is_not_run_by_us(
    doomed_node: NodePeer, redis_url: str, prefix: str, queue: NodeObject, events: NodeObject, work: Work
) -> None:
    second = NodePeer(redis_url, prefix)
    try:
        await doomed_node.worker("q", **NODE)
        added = await queue.add("hang", {}, {"attempts": 5})
        await eventually(lambda: is_in(queue, "active", added["id"]))
        doomed_node.kill()
        await second.worker("q", **NODE)
        await eventually(lambda: _has_started(queue, 2))
        second.kill()
    finally:
        second.stop()
    seen: list[str] = []

    async def handle(job: Job[Any]) -> None:
        seen.append(job.id)

    async with work(handle):
        await eventually(lambda: is_in(queue, "failed", added["id"]))
    assert seen == []
    stored = await queue.getJob(added["id"])
    assert stored["failedReason"] == GIVEN_UP
    assert (stored["attemptsMade"], stored["attemptsStarted"], stored["stalledCounter"]) == (1, 3, 2)
    assert stored.get("deferredFailure") is None


async def test_a_job_that_killed_two_of_ours_is_not_run_by_node(
    node: NodePeer, redis_url: str, prefix: str, queue: NodeObject, events: NodeObject
) -> None:
    added = await queue.add("hang", {})
    for starts in (1, 2):
        with doomed_worker(redis_url, prefix):
            await eventually(partial(_has_started, queue, starts))
    worker = await node.worker("q", **NODE)
    await eventually(lambda: is_in(queue, "failed", added["id"]))
    assert await worker.read("started") == []
    assert (await queue.getJob(added["id"]))["failedReason"] == GIVEN_UP
    await eventually(lambda: is_drained(events))
    assert (await names_of(events))[-3:] == ["failed", "retries-exhausted", "drained"]


async def test_a_long_job_of_ours_is_not_taken_away(
    node: NodePeer, queue: NodeObject, open_app: Callable[..., App], work: Work
) -> None:
    """It runs for more than two leases, while Node looks for lapsed ones all the time."""
    async with work(app=open_app(q={"lock": 1.5})):
        added = await queue.add("slow", {"ms": 3500})
        await eventually(lambda: is_in(queue, "active", added["id"]))
        await node.worker("q", lockDuration=1500, stalledInterval=100)
        await eventually(lambda: is_in(queue, "completed", added["id"]))
    stored = await queue.getJob(added["id"])
    assert (stored["attemptsStarted"], stored["stalledCounter"]) == (1, 0)


@pytest.mark.parametrize("holder", [None, "somebody:1"])
@pytest.mark.parametrize("name", ["echo", "fail"])
async def test_without_the_lock_no_end_is_written(
    queue: NodeObject,
    open_app: Callable[..., App],
    prefix: str,
    raw: Any,
    work: Work,
    holder: str | None,
    name: str,
) -> None:
    app = open_app(q={"lock": "30s"})
    lock = f"{prefix}:q:1:lock"
    ended = asyncio.Event()

    async def handle(job: Job[Any]) -> str:
        if job.name == "sentinel":
            return "written"
        if holder is None:
            raw.delete(lock)
        else:
            raw.set(lock, holder)
        ended.set()
        if name == "fail":
            raise RuntimeError("no")
        return "ours"

    await queue.addBulk([{"name": name, "data": {}}, {"name": "sentinel", "data": {}}])
    async with work(handle, app=app):
        await ended.wait()
        await eventually(lambda: is_in(queue, "completed", "2"))
        stored = await queue.getJob("1")
        assert (stored.get("returnvalue"), stored.get("failedReason"), stored.get("finishedOn")) == (
            None,
            None,
            None,
        )
        assert stored["attemptsMade"] == 0
        assert await is_in(queue, "active", "1")
        assert raw.get(lock) == holder


async def _has_started(queue: NodeObject, times: int) -> bool:
    stored = await queue.getJob("1")
    return bool(stored["attemptsStarted"] == times) and await is_in(queue, "active", "1")

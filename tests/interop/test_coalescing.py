"""Coalesced and expiring jobs beside Node: its workers run what waits, its producers add as ever."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from stockyard import App, JobState
from stockyard.errors import QueueFull
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer
from tests.support.waiting import eventually


async def test_a_node_worker_runs_the_last_payload(
    node: NodePeer, queue: NodeObject, open_app: Callable[..., App]
) -> None:
    app = open_app(q={"coalesce": "latest"})
    ours = app.queue("q")
    for number in range(5):
        job = await ours.add("echo", {"n": number}, coalesce="BTC")
    await queue.add("echo", {"n": "of Node"})
    assert (await ours.counts())[JobState.WAITING] == 2
    await node.worker("q")
    assert await job.wait_for_result(25) == {"n": 4}
    await eventually(lambda: _completed(ours, 2))
    assert (await job.refresh()).replaced == 4


async def test_what_a_node_worker_puts_back_yields_to_its_successor(
    node: NodePeer, open_app: Callable[..., App]
) -> None:
    app = open_app(q={"coalesce": "latest", "attempts": 5})
    ours = app.queue("q")
    first = await ours.add("fail_first", {"times": 9}, coalesce="BTC", backoff="1h")
    worker = await node.worker("q")
    # Node's worker has put it back, delayed; without asking whether a successor waits.
    await eventually(lambda: _delayed(ours, 1))
    await worker.close()
    second = await ours.add("fail_first", {"times": 0}, coalesce="BTC")
    assert second.id == first.id
    assert (await second.refresh()).attempts_made == 0


async def test_a_node_producer_adds_beside(queue: NodeObject, open_app: Callable[..., App], work: Work) -> None:
    app = open_app(q={"coalesce": "latest", "max_length": 2})
    ours = app.queue("q")
    theirs = [await queue.add("echo", {"n": number}) for number in range(2)]
    assert len(theirs) == 2
    with pytest.raises(QueueFull):
        await ours.add("echo", {}, coalesce="BTC")
    async with work(app=app):
        await eventually(lambda: _completed(ours, 2))
    assert (await ours.add("echo", {"n": 3}, coalesce="BTC")).was_added


async def test_node_reads_an_expired_job_as_failed(open_app: Callable[..., App], work: Work) -> None:
    app = open_app(q={})
    ours = app.queue("q")
    await ours.pause()
    job = await ours.add("echo", {}, expires_in="1ms")
    await eventually(lambda: time.time() * 1000 > (job.expires_at or 0))
    async with work(app=app):
        await ours.resume()
        await eventually(lambda: _gone(ours, job.id))
    (health,) = await app.health("q")
    assert health.expired_total == 1


async def _completed(ours: Any, number: int) -> bool:
    return bool((await ours.counts())[JobState.COMPLETED] == number)


async def _delayed(ours: Any, number: int) -> bool:
    return bool((await ours.counts())[JobState.DELAYED] == number)


async def _gone(ours: Any, job_id: str) -> bool:
    return await ours.get_job(job_id) is None

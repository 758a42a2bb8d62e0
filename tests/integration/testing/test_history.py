"""Histories of jobs under faults, and what their check finds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stockyard import App, InvalidOption, Job, ReplyLost, Topology, UnrecoverableError
from stockyard.testing import AppProcess, History, ManualClock, drain, eventually


async def test_a_sound_history_has_no_problems(stockyard_topology: Topology, stockyard_app: App) -> None:
    spec = stockyard_topology.queue("orders", attempts=3)

    @spec.handler("submit")
    async def submit(job: Job[str]) -> str:
        if job.data == "fails" or (job.data == "retries" and job.attempt < 3):
            raise ValueError("no")
        if job.data == "refused":
            raise UnrecoverableError("no")
        return job.data

    history = History(stockyard_app.queue("orders"))
    for data in ("one", "fails", "retries", "refused"):
        await history.add("submit", data)
    await history.add("submit", "removed", remove_on_complete=True)
    with pytest.raises(InvalidOption):
        await history.add("submit", "never", priority=-1)
    await drain(stockyard_app, middleware=[history.middleware], raise_failures=False)
    report = await history.check()
    assert (report.acknowledged, report.refused, report.lost, report.doubled) == (5, 1, 0, 0)


async def test_what_is_not_accounted_for_is_listed(stockyard_topology: Topology, stockyard_app: App) -> None:
    spec = stockyard_topology.queue("orders")

    @spec.handler("submit")
    async def submit(job: Job[Any]) -> None:
        """Do nothing."""

    queue = stockyard_app.queue("orders")
    history = History(queue)
    await history.add("submit", job_id="W1", delay="1h")
    lost = await history.add("submit", job_id="W2")
    await lost.remove()
    await history.add("submit", job_id="W3")
    await queue.add("submit", job_id="W4")
    await drain(stockyard_app)
    for _ in range(2):
        history.effect("A1")
    with pytest.raises(AssertionError) as caught:
        await history.check()
    head, *problems = str(caught.value).splitlines()
    assert head == "the history of queue 'orders' has problems:"
    assert sorted(problems) == [
        "  - effect A1 was applied 2 times",
        "  - job W1 is left in delayed",
        "  - job W2 was acknowledged and is lost",
        "  - job W3 is completed, and nobody ended it so",
        "  - job W4 was never added",
    ]


async def test_a_job_of_a_killed_worker_runs_again_and_is_accounted_for(
    stockyard_topology: Topology,
    stockyard_process: Callable[[], Awaitable[AppProcess]],
    stockyard_clock: ManualClock,
) -> None:
    spec = stockyard_topology.queue("orders")
    started: list[str] = []

    @spec.handler("submit")
    async def submit(job: Job[str]) -> None:
        started.append(job.id)
        if len(started) == 1:
            await asyncio.Event().wait()

    first, second = await stockyard_process(), await stockyard_process()
    history = History(second.app.queue("orders"))
    async with first.running("orders", middleware=[history.middleware]):
        await history.add("submit", "A1")
        await eventually(lambda: len(started) == 1)
        await first.kill()
        second.lose_reply("A2")
        with pytest.raises(ReplyLost):
            await history.add("submit", "A2")
        async with second.running("orders", middleware=[history.middleware]):
            await stockyard_clock.advance("5m")
            await eventually(lambda: len(started) == 3)
    report = await history.check()
    assert (report.acknowledged, report.unsure, report.unsure_added, report.doubled) == (1, 1, 1, 0)


def test_a_queue_with_shards_is_refused(stockyard_topology: Topology, stockyard_app: App) -> None:
    stockyard_topology.queue("ticks", shards=2)
    with pytest.raises(InvalidOption, match="has shards"):
        History(stockyard_app.queue("ticks"))


async def test_a_job_in_the_line_of_its_key_is_left_and_not_lost(
    stockyard_topology: Topology, stockyard_app: App
) -> None:
    stockyard_topology.queue("signals", ordered=True)
    history = History(stockyard_app.queue("signals"))
    for job_id in ("S1", "S2"):
        await history.add("signal", job_id=job_id, key="A")
    assert not await history.is_over()
    with pytest.raises(AssertionError, match="job S2 is left in line of its key"):
        await history.check()

"""Two programs that declare the keys of one queue differently: jobs go on, and somebody is told."""

import asyncio
import logging
from typing import Any

import pytest

from stockyard import App, Job, Topology
from tests.support.waiting import eventually
from tests.support.yard import Yard


def app_of(redis_url: str, prefix: str, **declared: Any) -> App:
    topology = Topology("t")
    topology.queue("q", concurrency=5, **declared)
    return App(topology, redis_url, prefix=prefix)


async def test_a_worker_without_the_declaration_lets_the_next_jobs_of_keys_go(
    redis_url: str, prefix: str, yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []
    running = together = 0

    async def handle(job: Job[str]) -> None:
        nonlocal running, together
        running += 1
        together = max(together, running)
        ran.append(job.data)
        await asyncio.sleep(0)
        running -= 1

    async with app_of(redis_url, prefix, ordered=True) as other:
        for number in range(3):
            await other.queue("q").add("x", f"A{number}", key="A")
        yard.queue()
        with caplog.at_level(logging.WARNING, "stockyard"):
            await yard.work(handle, concurrency=5)
            await eventually(lambda: ran == ["A0", "A1", "A2"])
        assert together == 1
        assert "queue q has jobs in order per key, which another program declares" in caplog.text
        await eventually(lambda: _are_no_keys(other))


async def test_a_failed_job_parks_its_key_by_the_declaration_of_its_producer(
    redis_url: str, prefix: str, yard: Yard
) -> None:
    ran: list[str] = []

    async def fail(job: Job[str]) -> None:
        ran.append(job.data)
        raise ValueError("no price")

    async with app_of(redis_url, prefix, ordered=True, on_poison="park") as other:
        queue = other.queue("q")
        await queue.add_many([("x", "A0", {"key": "A"}), ("x", "A1", {"key": "A"})])
        yard.queue()
        await yard.work(fail)

        async def is_parked() -> bool:
            return bool(await queue.keys.list("parked"))

        await eventually(is_parked)
        assert ran == ["A0"]


async def test_both_programs_are_told(
    redis_url: str, prefix: str, yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    plain = yard.queue()
    go_on = asyncio.Event()

    async def hold(job: Job[str]) -> None:
        await go_on.wait()

    async with app_of(redis_url, prefix, ordered=True) as other:
        assert await _findings(yard.app) == await _findings(other) == []
        await other.queue("q").add("x", "A0", key="A")
        (undeclared,) = await _findings(yard.app)
        assert undeclared.startswith("its jobs are in order per key, and this program declares neither ordered")
        job = await plain.add("x", "A1", key="A")
        (unlined,) = await _findings(other)
        assert unlined == f"job {job.id} has the key 'A', and was not added in the order of this key"
        worker = other.worker("q", hold, handle_signals=False)
        with caplog.at_level(logging.WARNING, "stockyard"):
            working = asyncio.create_task(worker.run())
            await eventually(
                lambda: f"job {job.id} of queue q, of key 'A': it runs beside the other jobs" in caplog.text
            )
        go_on.set()
        await worker.stop()
        await working


async def _findings(app: App) -> list[str]:
    return [each.cause for each in await app.check_server() if each.check == "keys of q"]


async def _are_no_keys(app: App) -> bool:
    return not await app.queue("q").keys.list()

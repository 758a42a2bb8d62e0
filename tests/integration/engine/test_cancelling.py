"""A program that ends while its worker runs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis

from stockyard import App, Job, Topology


@pytest.mark.parametrize("cancel_all", [False, True])
def test_a_program_that_ends_in_the_middle_hands_its_jobs_back(
    redis_url: str, prefix: str, raw: "redis.Redis", cancel_all: bool
) -> None:
    topology = Topology("test")
    topology.queue("q", concurrency=4, attempts=2)

    async def main() -> None:
        running = asyncio.Event()

        async def wait(job: Job[Any]) -> None:
            running.set()
            await asyncio.Event().wait()

        async with App(topology, redis_url, prefix=prefix) as app:
            await app.queue("q").add_many([("wait",)] * 6)
            task = asyncio.create_task(app.worker("q", wait).run())
            await running.wait()
            if cancel_all:
                # As asyncio.run does at its end.
                for each in asyncio.all_tasks() - {asyncio.current_task()}:
                    each.cancel()
                await asyncio.wait([task])
            raise LookupError("the program's own mistake")

    with pytest.raises(LookupError):
        asyncio.run(main())

    assert raw.llen(f"{prefix}:q:active") == 0
    assert raw.llen(f"{prefix}:q:wait") == 6
    assert list(raw.scan_iter(f"{prefix}:q:*:lock")) == []
    assert raw.hget(f"{prefix}:q:1", "atm") is None


async def test_a_run_that_is_cancelled_while_it_closes_keeps_nobody_waiting(redis_url: str, prefix: str) -> None:
    topology = Topology("test")
    topology.queue("q")
    closing = asyncio.Event()

    async def work(job: Job[Any]) -> None: ...

    @topology.lifespan
    async def slow_to_close() -> AsyncIterator[None]:
        yield
        closing.set()
        await asyncio.Event().wait()

    async with App(topology, redis_url, prefix=prefix) as app:
        worker = app.worker("q", work)
        task = asyncio.create_task(worker.run())
        await worker.ready.wait()
        task.cancel()
        await closing.wait()
        task.cancel()
        await asyncio.wait([task])
        async with asyncio.timeout(25):
            await worker.stop()
        assert not worker.is_running

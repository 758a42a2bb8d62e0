"""A program that ends while its worker runs."""

import asyncio
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

"""What every test of the port's interface connects with."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from stockyard.compat.bullmq import Queue, Worker

MakeWorker = Callable[..., Worker]


@pytest.fixture
def opts(redis_url: str, prefix: str) -> dict[str, Any]:
    """The options of every object of a test."""
    return {"connection": redis_url, "prefix": prefix}


@pytest.fixture
async def queue(opts: dict[str, Any]) -> AsyncIterator[Queue]:
    """A queue, which is closed afterwards."""
    queue = Queue("q", opts)
    yield queue
    await queue.close()


@pytest.fixture
async def work(opts: dict[str, Any]) -> AsyncIterator[MakeWorker]:
    """Makes workers of the queue, which are closed afterwards."""
    made: list[Worker] = []

    def make(processor: Callable[..., Any] | None, name: str = "q", **more: Any) -> Worker:
        worker = Worker(name, processor, {**opts, **more})
        made.append(worker)
        return worker

    yield make
    for worker in made:
        await worker.close(force=True)

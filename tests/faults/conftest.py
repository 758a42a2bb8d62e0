"""The producer's side of the fault tests: an app on the queue that the worker processes serve."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest
import redis

from stockyard import App, Queue
from stockyard.testing.proxy import Proxy
from tests.faults.programs import Journal, WorkerProcess, topology
from tests.support.servers import OwnServer


@pytest.fixture
def server(make_server: Callable[..., OwnServer]) -> OwnServer:
    """A started server on a TCP port that forgets nothing when it is killed."""
    return make_server(port=True, options={"appendfsync": "always"})


@pytest.fixture
async def proxy(server: OwnServer) -> AsyncIterator[Proxy]:
    """What stands before the server, and cuts, silences and delays its connections."""
    async with Proxy(server.url) as proxy:
        yield proxy


@pytest.fixture
async def queue(redis_url: str, prefix: str) -> AsyncIterator[Queue]:
    async with App(topology(), redis_url, prefix=prefix) as app:
        yield app.queue("q")


@pytest.fixture
def journal(raw: "redis.Redis", prefix: str) -> Journal:
    return Journal(raw, prefix)


@pytest.fixture
def worker(redis_url: str, prefix: str) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts worker processes, with the arguments of ``WorkerProcess``; they end with the test."""
    with ExitStack() as ending:

        def start(handler: str, **options: object) -> WorkerProcess:
            return ending.enter_context(WorkerProcess(redis_url, prefix, handler, **options))  # type: ignore[arg-type]

        yield start

"""What the interop tests share: Apps and workers of ours, on the keys of the peers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import pytest

from stockyard import App, Queue, Topology, Worker
from stockyard.model.clock import Clock, system_clock
from tests.interop.handlers import handlers
from tests.support.node import NodeObject, NodePeer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "interop" in item.path.parts:
            item.add_marker(pytest.mark.interop)


@pytest.fixture
async def queue(node: NodePeer) -> NodeObject:
    """Node's ``Queue`` named ``q``."""
    return await node.queue("q")


@pytest.fixture
async def events(node: NodePeer) -> NodeObject:
    """Node's ``QueueEvents`` of ``q``, from its beginning."""
    return await node.events("q")


@pytest.fixture
async def open_app(redis_url: str, prefix: str) -> AsyncIterator[Callable[..., App]]:
    """Makes an App with the queues given as ``name={declaration}``; by default it keeps finished jobs."""
    async with AsyncExitStack() as opened:

        def make(*, prefix: str = prefix, clock: Clock = system_clock, **queues: dict[str, Any]) -> App:
            topology = Topology("interop")
            for name, declaration in queues.items():
                topology.queue(name, **{"remove_on_complete": False, "remove_on_fail": False, **declaration})
            app = App(topology, redis=redis_url, prefix=prefix, clock=clock)
            opened.push_async_callback(app.aclose)
            return app

        yield make


@pytest.fixture
async def app(open_app: Callable[..., App]) -> App:
    """An App of ours whose queue ``q`` runs one job at a time."""
    return open_app(q={})


@pytest.fixture
async def ours(app: App) -> Queue:
    """Our queue ``q``, the same as Node's ``queue``."""
    return app.queue("q")


class Work(Protocol):
    """``async with work(): …``: a worker of ours on ``q`` runs inside the block."""

    def __call__(
        self, processor: Any = handlers, *, app: App | None = None, queue: str = "q", **options: Any
    ) -> AbstractAsyncContextManager[Worker]: ...


@pytest.fixture
def work(app: App) -> Work:
    """Runs workers of ours, by default with the handlers that Node's workers have too, and as nameless."""

    usual = app

    @asynccontextmanager
    async def running(
        processor: Any = handlers, *, app: App | None = None, queue: str = "q", **options: Any
    ) -> AsyncIterator[Worker]:
        worker = (app or usual).worker(queue, processor, **{"name": None, "handle_signals": False, **options})
        run = asyncio.create_task(worker.run())
        ready = asyncio.create_task(worker.ready.wait())
        await asyncio.wait([run, ready], return_when=asyncio.FIRST_COMPLETED)
        try:
            yield worker
        finally:
            ready.cancel()
            await worker.stop(grace=0)
            await run

    return running

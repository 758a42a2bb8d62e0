"""An app on a test's server, whose queues are declared as needed and whose workers end with it."""

import asyncio
from collections.abc import Callable
from typing import Any, Self

from stockyard import App, Queue, Router, Topology, Worker
from stockyard.model.clock import Clock, system_clock

START = 1_800_000_000_000
"""Where the clock of an app stands at first that is moved by hand."""


class Yard:
    """One app with its running workers.

    Args:
        url: of the server.
        prefix: of the keys.
        call_timeout: seconds of a call. Defaults to 5.
        clock: gives the time that the app writes. Defaults to the machine's.
        topology: queues that are declared already. Defaults to none.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        *,
        call_timeout: float = 5.0,
        clock: Clock = system_clock,
        topology: Topology | None = None,
    ) -> None:
        self.topology = Topology("test") if topology is None else topology
        self.app = App(self.topology, url, prefix=prefix, call_timeout=call_timeout, clock=clock)
        self._running: list[tuple[Worker, asyncio.Task[None]]] = []

    def queue(self, name: str = "q", **declaration: Any) -> Queue:
        """Declare a queue, or find it."""
        if name not in self.topology:
            self.topology.queue(name, **declaration)
        return self.app.queue(name)

    async def work(
        self, processor: Callable[..., Any] | Router | None = None, queue: str = "q", **options: Any
    ) -> Worker:
        """Start a worker in the background and return once it takes jobs."""
        worker = self.app.worker(queue, processor, **{"handle_signals": False, "grace": 5, **options})
        task = asyncio.create_task(worker.run())
        self._running.append((worker, task))
        ready = asyncio.create_task(worker.ready.wait())
        await asyncio.wait([ready, task], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if task.done():
            task.result()
        return worker

    async def aclose(self) -> None:
        """Stop the workers, raise what one of them raised, and close the app."""
        running, self._running = self._running, []
        for worker, _ in running:
            await worker.stop()
        try:
            await asyncio.gather(*(task for _, task in running))
        finally:
            await self.app.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

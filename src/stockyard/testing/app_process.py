"""An App that stands for a process of its own: a test may freeze it, kill it, and cut it off from its server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Self, Unpack

from stockyard._store.net.server_at import server_at
from stockyard.app.app import App
from stockyard.config import Address, Settings
from stockyard.consume.options import WorkerOptions
from stockyard.consume.worker import Worker
from stockyard.errors import ConfigError
from stockyard.model.clock import Clock
from stockyard.model.job import JobProcessor
from stockyard.testing.app_under_test import follow_clock, keep_leases_in_loop
from stockyard.testing.followers import Follower
from stockyard.testing.lease_keeper import LoopLeaseKeeper
from stockyard.testing.proxy import Proxy
from stockyard.testing.waiting import running
from stockyard.topology import Router, Topology

_here: ContextVar[AppProcess | None] = ContextVar("app process", default=None)


class AppProcess:
    """Runs an App in the test's own loop, with faults like those of a process of its own.

    It reaches its server through a proxy, and its leases are renewed in the loop, so that freezing it stops both:
    what it sends is held back, its leases run out as the clock moves, and nothing of it is heard until it thaws.
    What its handlers do without the server goes on; ``freeze_here`` stops the handler that awaits it as well.

    Made by the fixture ``stockyard_process``; or use it by ``async with``.

    Args:
        topology: the queues.
        url: of one server: that of the fixture ``stockyard_url``.
        prefix: of all keys.
        clock: gives the time; with a ``ManualClock``, leases run out when it is moved.

    Attributes:
        app: the App.

    Raises:
        ConfigError: the URL is that of a set of servers, or of one with TLS.
    """

    def __init__(self, topology: Topology, url: str, *, prefix: str, clock: Clock) -> None:
        self._address: Address = Settings.load(url, environ={}, dotenv=None).address
        if self._address.scheme not in ("redis", "unix"):
            raise ConfigError(
                f"a process under test needs one server without TLS, redis:// or unix://; got {self._address}"
            )
        self._topology = topology
        self._prefix = prefix
        self._clock = clock
        self._proxy = Proxy(url)
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._is_killed = False
        self._app: App | None = None
        self._keeper: LoopLeaseKeeper | None = None
        self._follower: Follower | None = None

    @property
    def app(self) -> App:
        """The App of this process.

        Raises:
            ConfigError: the process is not open.
        """
        if self._app is None:
            raise ConfigError("the process is not open: use it by `async with`, or the fixture stockyard_process")
        return self._app

    @property
    def is_frozen(self) -> bool:
        """Whether it is frozen now."""
        return not self._thawed.is_set()

    @asynccontextmanager
    async def running(
        self, queue: str, processor: JobProcessor[Any] | Router | None = None, **options: Unpack[WorkerOptions]
    ) -> AsyncIterator[Worker]:
        """Run a worker of this process in the background of a block; behind it the worker stops.

        A process that is frozen then, or was killed, comes back first: its late calls find that others have its
        jobs.

        Args:
            queue, processor, options: those of ``App.worker``.

        Raises:
            The errors of ``App.worker``, and what ``Worker.run`` raised.
        """
        token = _here.set(self)
        try:
            entered = running(self.app.worker(queue, processor, **options))
            worker = await entered.__aenter__()
        finally:
            # The tasks of the worker have it; the test itself is outside.
            _here.reset(token)
        try:
            yield worker
        finally:
            await self._revive()
            await entered.__aexit__(None, None, None)

    async def freeze(self) -> None:
        """Freeze it, as SIGSTOP does: nothing that it sends arrives, nothing reaches it, no lease is renewed.

        A connection that waits for jobs is closed at the server, so that it takes none while it is frozen.
        """
        self._opened_keeper().is_frozen = True
        self._thawed.clear()
        self._proxy.hold()
        await self._end_waits()

    async def freeze_here(self) -> None:
        """Freeze the process that runs this handler, and return when it thaws.

        Let the double of an outside system await this where the process is to freeze. Awaited by a handler of
        another process, or by the test, it does nothing.
        """
        if _here.get() is self and not self.is_frozen:
            await self.freeze()
            await self._thawed.wait()

    async def thaw(self) -> None:
        """Let it go on. Timers that came due meanwhile fire, and runs whose leases are lost are cancelled."""
        if not self.is_frozen:
            return
        keeper, follower = self._opened_keeper(), self._follower
        keeper.is_frozen = self._is_killed
        self._proxy.release()
        self._thawed.set()
        if follower is not None and not self._is_killed:
            await follower.time_passed(0)
        await keeper.renew()

    async def kill(self) -> None:
        """Kill it, as SIGKILL does: its connections break, and nothing more of it arrives.

        Its handlers are cancelled. Python runs their ``finally`` blocks, which a real kill does not; what they
        send to the server does not arrive.
        """
        self._is_killed = True
        self._opened_keeper().is_frozen = True
        self._proxy.release()
        await self._proxy.refuse()
        self._thawed.set()
        for worker in list(self.app._workers):
            for shard in worker._shards.all:
                shard.fetcher._is_taking = False
                for run in list(shard.active._runs.values()):
                    run.is_lost = True
                    if run.task is not None:
                        run.task.cancel("its process was killed by the test")

    def cut(self) -> None:
        """Break all its connections; new ones are served."""
        self._proxy.cut()

    def lose_reply(self, containing: str = "") -> asyncio.Event:
        """Let the next request of this process reach the server, and break its connection in place of the reply.

        Args:
            containing: text of the request, such as a part of a payload. Defaults to any request.

        Returns:
            An event that is set when that has happened.
        """
        part = containing.encode()
        return self._proxy.lose_reply(lambda request: part in request)

    async def __aenter__(self) -> Self:
        await self._proxy.__aenter__()
        app = App(self._topology, self._proxy.url, prefix=self._prefix, clock=self._clock)
        self._keeper = keep_leases_in_loop(app)
        self._follower = follow_clock(app, self._keeper, self._address)
        self._app = app
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._revive()
        await self.app.aclose()
        await self._proxy.__aexit__(None, None, None)

    def _opened_keeper(self) -> LoopLeaseKeeper:
        assert self.app is not None
        assert self._keeper is not None
        return self._keeper

    async def _end_waits(self) -> None:
        """Close the connections that wait for jobs, at the server."""
        shards = [shard for worker in self.app._workers if worker.is_running for shard in worker._shards.all]
        waiting = [shard.blocking_taker._client_id for shard in shards if shard.blocking_taker._client_id]
        server = server_at(self._address)
        try:
            await server.ask([("CLIENT", "KILL", "ID", client) for client in waiting])
        finally:
            await server.aclose()

    async def _revive(self) -> None:
        """Let what is left of it end: connect it again."""
        if self._is_killed and not self._proxy.is_listening:
            await self._proxy.accept()
        await self.thaw()

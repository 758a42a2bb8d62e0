"""Makes the App of a test: its leases are kept in the test's own loop."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from stockyard.app.app import App
from stockyard.config import Address
from stockyard.model.clock import Clock, system_clock
from stockyard.testing.clock import ManualClock
from stockyard.testing.followers import Follower
from stockyard.testing.lease_keeper import LoopLeaseKeeper
from stockyard.topology import Topology

T = TypeVar("T")


def make_app(topology: Topology, url: str, *, prefix: str, clock: Clock = system_clock) -> App:
    """Make an App for a test; close it by ``async with`` or ``aclose``.

    It differs from any other App in one thing: no child process keeps the leases of its jobs. So workers start
    at once, and leases follow a clock that is moved by hand.

    Args:
        topology: the queues.
        url: of the server: that of the fixture ``stockyard_url``.
        prefix: of all keys: that of the fixture ``stockyard_prefix``.
        clock: gives the time: a ``ManualClock`` to move it by hand. Defaults to the system's.

    Raises:
        ConfigError: the URL or the prefix is not what it should be.
    """
    app = App(topology, url, prefix=prefix, clock=clock)
    follow_clock(app, keep_leases_in_loop(app), app._runtime().server.address)
    return app


def keep_leases_in_loop(app: App) -> LoopLeaseKeeper:
    """Let no child process keep the leases of an App that has no workers yet; return what keeps them."""
    runtime = app._runtime()
    keeper = LoopLeaseKeeper(runtime.server, runtime._naming)
    vars(runtime)["keeper"] = keeper
    return keeper


def follow_clock(app: App, keeper: LoopLeaseKeeper, address: Address) -> Follower | None:
    """Let what waits in an App follow its clock, if that is moved by hand; return what does so.

    Args:
        app: the App.
        keeper: keeps its leases.
        address: its server, reached directly.
    """
    clock = app._clock
    if not isinstance(clock, ManualClock):
        return None
    follower = Follower(app, keeper, address)
    clock.follow(follower)
    return follower


def run_sync(app: App, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of this kit in a test without a loop, and return its result.

    Args:
        app: the App that the coroutine works on.
        coroutine: such as ``drain(app)``.

    Raises:
        BlockingCallRefused: a loop runs in this thread: await the coroutine there.

    Example:
        run_sync(app, assert_enqueued(app.queue("mail"), "welcome"))
    """

    async def run() -> T:
        return await coroutine

    try:
        return app._portal.call(run)
    finally:
        coroutine.close()

"""The demo from its options to its exit status: a server, a folder of facts, a replay, a report."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, closing
from pathlib import Path

import msgspec
import uvloop
from msgspec.structs import replace

from stockyard import embedded
from stockyard._aio.stop_signals import sigterm_as_interrupt
from stockyard.app import App
from stockyard.config import Settings
from stockyard.embedded.server import acquire_address
from stockyard.trading.demo.desk import Desk
from stockyard.trading.demo.exchange import PaperExchange
from stockyard.trading.demo.fleet import Fleet
from stockyard.trading.demo.keyspace import remove_keys
from stockyard.trading.demo.options import DemoOptions
from stockyard.trading.demo.replay import Replay
from stockyard.trading.demo.report import Report
from stockyard.trading.demo.venue import VenueServer
from stockyard.trading.demo.view import View
from stockyard.trading.demo.worker_process import Assignment, demo_platform

_CHUNK = 100
_INTERRUPTED, _TERMINATED = 130, 143
Beside = Callable[[App], AbstractAsyncContextManager[str]]


def run_demo(options: DemoOptions, *, beside: Beside | None = None) -> int:
    """Replay the candles through the seven queues and report; blocks until done.

    Args:
        options: what is replayed, how fast, and where.
        beside: what is open while it runs, given its App; the text that it enters with is shown. Defaults to
            nothing.

    Returns:
        0 when every invariant holds, 1 when one does not, 130 after Ctrl-C and 143 after SIGTERM, which are how a
        replay without an end ends: that returns 0.

    Raises:
        ConfigError: the server's settings are wrong.
        ServerError: the server cannot be reached or started.
        StockyardError: a worker process ended by itself.
    """
    with (
        sigterm_as_interrupt() as terminated,
        ExitStack() as ending,
        View(sys.stderr if options.json else sys.stdout) as view,
    ):
        settings, data = _settings(options, ending)
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="stockyard-demo-")))
        view.say(f"Replaying {', '.join(options.chosen)} on {settings.address}, keys {settings.prefix}:*")
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                report = runner.run(_replay(options, settings, folder, view, data, beside))
        except KeyboardInterrupt:
            view.say("interrupted; the worker processes and the keys are gone")
            if options.is_endless:
                return 0
            return _TERMINATED if terminated else _INTERRUPTED
    if options.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n")
    else:
        view.report(report)
    return 0 if report.ok else 1


async def _replay(
    options: DemoOptions,
    settings: Settings,
    folder: Path,
    view: View,
    cluster: Path | None,
    beside: Beside | None,
) -> Report:
    chunk = _CHUNK if options.speed is None else max(1, min(_CHUNK, round(options.speed / 2)))
    pause = 0.0 if options.speed is None else chunk / options.speed
    seed = options.seed if options.inject_failures else None
    # The books are closed behind the venue, which may be about to fill an order.
    with closing(Desk(folder / "desk.db")) as desk, closing(PaperExchange(folder / "exchange.db")) as exchange:
        async with VenueServer(exchange) as venue, App(demo_platform(settings), settings=settings) as app:
            await app.health()  # a server that is not there is reported before anything is started
            assignment = Assignment(
                "worker", settings, str(folder), venue.port, chunk, pause, options.is_endless, seed
            )
            fleet = Fleet(assignment)
            try:
                replay = Replay(
                    app,
                    options=options,
                    fleet=fleet,
                    desk=desk,
                    exchange=exchange,
                    venue=venue,
                    view=view,
                    pause=pause,
                    cluster=cluster,
                )
                async with AsyncExitStack() as opened:
                    if beside is not None:
                        view.announce(await opened.enter_async_context(beside(app)))
                    return await replay.run()
            finally:
                fleet.stop()
                await remove_keys(settings)


def _settings(options: DemoOptions, ending: ExitStack) -> tuple[Settings, Path | None]:
    """Return the settings, and the folder of the cluster that is started for the demo alone."""
    url, data = options.redis_url, None
    if options.cluster:
        own = ending.enter_context(embedded.ephemeral(shape=embedded.SetShape("cluster", options.cluster)))
        url, data = own.url, own.data
    if url is None and not os.environ.get("REDIS_URL"):
        url = ending.enter_context(embedded.ephemeral()).url
    settings = Settings.load(url, prefix=f"bull-demo-{secrets.token_hex(4)}")
    if settings.address.is_embedded:
        # Held until the end, so that every process reaches what runs by its own address.
        server, address = acquire_address(settings.address)
        ending.enter_context(server)
        settings = replace(settings, address=address)
    return settings, data

"""`stockyard top`: queues, workers, longest runs and alerts, again and again."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Annotated, Any

from cyclopts import Parameter
from rich.live import Live

from stockyard._aio.stop_signals import stop_signals
from stockyard.app import App
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import complain, console, show_json
from stockyard.cli.options import AsJson, Span
from stockyard.cli.top_frame import Dashboard, draw, look, rates
from stockyard.errors import InvalidOption, ServerError
from stockyard.model.duration import milliseconds

_QUIT = (b"q", b"Q", b"\x03", b"\x04")


async def top(
    *names: str,
    interval: Span = "2s",
    once: Annotated[bool, Parameter(help="Show one frame and end.")] = False,
    rows: int = 10,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """Watch queues, workers and the longest runs; q or Ctrl-C ends. A pipe gets one frame after the other,
    by --json one a line.

    Args:
        names: the queues. Defaults to all.
        interval: time between two frames; 2s by default.
        rows: workers, runs and alerts that are shown; 10 by default.
    """
    if not 1 <= rows <= 1000:
        raise InvalidOption(f"--rows must be from 1 to 1000; got {rows}")
    pause = milliseconds(interval or "2s", option="--interval") / 1000
    if pause <= 0:
        raise InvalidOption("--interval must be more than 0")
    await _Top(names, rows, as_json=json).run(connection, None if once else pause)


class _Top:
    def __init__(self, names: tuple[str, ...], rows: int, *, as_json: bool) -> None:
        self._names = names
        self._rows = rows
        self._as_json = as_json
        self._before: Dashboard | None = None
        self._last: Dashboard | None = None

    async def run(self, connection: Connection, pause: float | None) -> None:
        async with connection.open() as app:
            # What is wrong from the start is an error; what goes wrong later is shown, and passes.
            self._last = await look(app, self._names, self._rows, is_first=True)
            if pause is None:
                self._show(None)
                return
            with ExitStack() as ending:
                stopped = ending.enter_context(stop_signals())
                live = None
                if sys.stdout.isatty() and not self._as_json:
                    live = ending.enter_context(Live(console=console(), screen=True, auto_refresh=False))
                    ending.enter_context(_keys(stopped))
                self._show(live)
                while not await _is_set(stopped, pause):
                    self._show(live, await self._look(app))

    async def _look(self, app: App) -> str:
        try:
            seen = await look(app, self._names, self._rows, is_first=False)
        except ServerError as error:
            return f"{error}; trying again"
        self._before, self._last = self._last, seen
        return ""

    def _show(self, live: Live | None, trouble: str = "") -> None:
        assert self._last is not None
        if self._as_json:
            if trouble:
                complain(f"stockyard: {trouble}")
            else:
                show_json(record_of(self._last, self._before), on_one_line=True)
            return
        screen = console()
        frame = draw(self._last, self._before, self._rows, width=screen.width, trouble=trouble)
        if live is None:
            screen.print(frame)
            sys.stdout.flush()
        else:
            live.update(frame, refresh=True)


def record_of(dashboard: Dashboard, before: Dashboard | None) -> dict[str, Any]:
    per_second = {queue.name: rates(queue, dashboard, before) for queue in dashboard.queues}
    return {
        "at": dashboard.at,
        "queues": dashboard.queues,
        "rates": {name: {"completed": done, "failed": failed} for name, (done, failed) in per_second.items()},
        "workers": dashboard.workers,
        "running": dashboard.running,
        "alerts": dashboard.alerts,
    }


async def _is_set(event: asyncio.Event, within: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), within)
    return event.is_set()


@contextmanager
def _keys(stopped: asyncio.Event) -> Iterator[None]:
    """Let q end it, without the key of a line's end."""
    if not sys.stdin.isatty():
        yield
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    loop = asyncio.get_running_loop()

    def read() -> None:
        pressed = os.read(keyboard, 1)
        if not pressed or pressed in _QUIT:
            loop.remove_reader(keyboard)
            stopped.set()

    tty.setcbreak(keyboard)
    loop.add_reader(keyboard, read)
    try:
        yield
    finally:
        loop.remove_reader(keyboard)
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)

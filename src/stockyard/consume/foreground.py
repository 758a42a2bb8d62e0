"""Runs a worker as all that a program does: in a loop of its own, until the process is asked to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import uvloop

from stockyard.errors import ConfigError


def run_in_foreground(work: Callable[[], Awaitable[None]], close: Callable[[], Awaitable[None]]) -> None:
    """Block until the work has ended, then close what it used.

    Raises:
        ConfigError: a loop runs in this thread already.
    """
    if _has_loop():
        raise ConfigError(
            "run_forever() blocks, and an event loop runs in this thread already: await worker.run() there instead"
        )

    async def main() -> None:
        try:
            await work()
        finally:
            await close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

"""Graceful shutdown of a worker: its steps in order, the whole within the grace and two seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol

from stockyard.consume.run.announcer import Announcer
from stockyard.consume.run.execution import Execution

_log = logging.getLogger(__name__)

STOP_SECONDS = 2.0
"""How much longer than the grace a whole stop takes at most."""

_TAKING, _CANCELLED, _WRITTEN, _ANNOUNCED, _STOPPED, _CHILDREN = 0.4, 0.6, 1.0, 1.1, 1.2, 1.5
"""Seconds after the grace at which each step ends, done or not: no more jobs come, what ran on is cancelled, ended
runs are written, hooks have returned, background loops are stopped, child processes are gone."""


class Taking(Protocol):
    """What takes the jobs of a worker."""

    async def stop_taking(self) -> None: ...
    def hand_back_what_comes(self) -> None: ...
    async def flush(self, seconds: float) -> None: ...


class Running(Protocol):
    """The runs in hand of a worker."""

    def __len__(self) -> int: ...
    async def wait_idle(self) -> None: ...
    async def hand_back_all(self) -> None: ...


class Shutdown:
    """The stop of one worker.

    Args:
        queue: its queue, for the log.
        fetcher, active, execution, announcer: its parts.
        now: set when the grace is over at once.
    """

    def __init__(
        self,
        queue: str,
        *,
        fetcher: Taking,
        active: Running,
        execution: Execution,
        announcer: Announcer,
        now: asyncio.Event,
    ) -> None:
        self._queue = queue
        self._fetcher = fetcher
        self._active = active
        self._execution = execution
        self._announcer = announcer
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._end_of_grace = self._loop.time()

    def say_early(self) -> None:
        """Note a stop before any job was taken."""
        _log.info(
            "worker of queue %s stops before it has begun to work", self._queue, extra={"queue": self._queue}
        )

    async def drain(self, grace: float) -> None:
        """Stop taking jobs, let running ones end, hand back the rest, write, and wait for hooks."""
        _log.info(
            "worker of queue %s stops: it takes no more jobs; %d run and have %g s to end",
            self._queue,
            len(self._active),
            grace,
            extra={"queue": self._queue},
        )
        self._end_of_grace = self._loop.time() + grace
        taking = asyncio.create_task(self._fetcher.stop_taking())
        ending = asyncio.create_task(self._all_end(taking))
        now = asyncio.create_task(self._now.wait())
        try:
            await asyncio.wait([ending, now], timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        finally:
            now.cancel()
            ending.cancel()
        if self._now.is_set():
            self._end_of_grace = min(self._end_of_grace, self._loop.time())
        if not taking.done():
            await asyncio.wait([taking], timeout=self._left(_TAKING))
        taking.cancel()
        self._fetcher.hand_back_what_comes()
        if running := len(self._active):
            _log.warning("worker of queue %s hands back %d running jobs", self._queue, running)
            if not await self._within(_CANCELLED, self._active.hand_back_all()):
                _log.error(
                    "worker of queue %s: %d jobs go on though they were cancelled; each runs again elsewhere when "
                    "its lease ends. Handlers must let asyncio.CancelledError pass",
                    self._queue,
                    len(self._active),
                )
        await self._fetcher.flush(self._left(_WRITTEN))
        if not await self._within(_ANNOUNCED, self._announcer.wait()):
            _log.warning("worker of queue %s does not wait longer for hooks that still run", self._queue)

    async def stop(self, *services: Awaitable[None]) -> None:
        """Stop background loops, then child processes."""
        await self._within(_STOPPED, _gathered(services))
        left = self._left(_CHILDREN)
        if not await self._within(_CHILDREN + 0.1, self._execution.stop(left)):
            _log.error("worker of queue %s does not wait longer for its child processes", self._queue)

    async def _all_end(self, taking: asyncio.Task[None]) -> None:
        await asyncio.wait([taking])
        await self._active.wait_idle()

    def _left(self, step: float) -> float:
        return max(self._end_of_grace + step - self._loop.time(), 0.05)

    async def _within(self, step: float, work: Coroutine[Any, Any, None]) -> bool:
        """Say whether work was done in its time; what was not is cancelled and left alone."""
        task = asyncio.create_task(work)
        await asyncio.wait([task], timeout=self._left(step))
        if not task.done():
            task.cancel()
            return False
        task.result()
        return True


async def _gathered(services: tuple[Awaitable[None], ...]) -> None:
    await asyncio.gather(*services)


async def enter_unless(stop_asked: asyncio.Event, enter: Coroutine[Any, Any, None]) -> bool:
    """Open in this task what a worker needs before it starts; return False if a stop broke that off."""
    loop = asyncio.get_running_loop()
    asked = loop.create_task(stop_asked.wait())
    try:
        async with asyncio.timeout(None) as limit:

            def break_off(_: object) -> None:
                limit.reschedule(loop.time())

            asked.add_done_callback(break_off)
            try:
                await enter
            finally:
                asked.remove_done_callback(break_off)
    except TimeoutError:
        if limit.expired():
            return False
        raise
    finally:
        asked.cancel()
    return True


async def start_unless(stop_asked: asyncio.Event, start: Coroutine[Any, Any, None]) -> None:
    """Run a worker's start; a stop breaks it off, wherever it waits."""
    starting = asyncio.create_task(start)
    asked = asyncio.create_task(stop_asked.wait())
    try:
        await asyncio.wait([starting, asked], return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting], timeout=1)
    if starting.done() and not starting.cancelled():
        starting.result()

"""The children of a process pool: started, replaced, watched and ended."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from stockyard.consume.executors.not_started import ChildNotStarted
from stockyard.consume.executors.warm_child import WarmChild, cause_of
from stockyard.errors import StockyardError

_log = logging.getLogger(__name__)
_PAGE = os.sysconf("SC_PAGE_SIZE")

_KILL_SECONDS = 0.2
"""What a SIGKILL may take to be noticed."""

_MEMORY_CHECK = 0.1
"""Seconds between two looks at the memory of running children."""


class Places:
    """A number of places; each is a child that starts, one that waits for jobs, or one that has some.

    Args:
        term_grace: seconds that an idle child has for its exit handlers before it is killed.
        serve: carries what a child sends until it ends; started for each child that is ready.
        on_change: called when a child is ready, or could not be started.

    Attributes:
        is_open: whether children are replaced.
        ready: the children that can have jobs.
        failures: why children could not be started; a place is lost with each until it is filled again.
    """

    def __init__(
        self,
        *,
        term_grace: float,
        serve: Callable[[WarmChild], Coroutine[Any, Any, None]],
        on_change: Callable[[], None],
    ) -> None:
        self.is_open = False
        self.ready: list[WarmChild] = []
        self.failures: deque[StockyardError] = deque()
        self._term_grace = term_grace
        self._serve = serve
        self._on_change = on_change
        self._children: set[WarmChild] = set()
        self._known: dict[str, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._retiring = 0

    def open(self, size: int, memory_limit: int | None) -> None:
        """Begin to start the children, and to look at their memory if that is limited."""
        self.is_open = True
        for _ in range(size):
            self.fill()
        if memory_limit is not None:
            self._spawn(self._watch_memory(memory_limit))

    def know(self, handler: str) -> None:
        """Let new children import a handler before their first job."""
        self._known[handler] = None

    def holder_of(self, entry: object) -> WarmChild | None:
        """Return the child that has a job, or None."""
        return next((child for child in self._children if entry in child.in_flight), None)

    def fill(self) -> None:
        """Start a child for a place that has none, unless the pool is closed."""
        if self.is_open:
            self._spawn(self._add())

    def give_up(self) -> None:
        """Give up one place for good: one without a child, an idle one, or one that ends after its jobs."""
        staying = [child for child in self.ready if child.keeps_place]
        if self.failures:
            self.failures.popleft()
        elif staying:
            child = min(staying, key=lambda each: len(each.in_flight))
            child.keeps_place = False
            if not child.in_flight:
                self.discard(child)
        else:
            self._retiring += 1

    def replace_idle(self, child: WarmChild) -> None:
        """End a child that died without a job, and start another."""
        self.discard(child, died_idle=True)
        self.fill()

    def discard(self, child: WarmChild, *, died_idle: bool = False) -> None:
        """End a child that has no job."""
        if child in self.ready:
            self.ready.remove(child)
        self._spawn(self._reap(child, died_idle))

    def lose(self, child: WarmChild) -> None:
        """Note that a child with jobs has ended; start another unless its place is given up or filled already."""
        if child in self.ready:
            self.ready.remove(child)
        if child.keeps_place:
            self.fill()

    def forget(self, child: WarmChild) -> None:
        """Note that a lost child is gone altogether."""
        self._children.discard(child)

    def close(self, seconds: float | None) -> None:
        """End every child: idle ones in their grace, or in so many seconds, others at once."""
        self.is_open = False
        if seconds is not None:
            self._term_grace = min(self._term_grace, max(seconds - _KILL_SECONDS, 0.0))
        for child in self._children:
            if child.in_flight or child not in self.ready:
                child.kill("the pool was closed")
            self.discard(child)

    async def wait_closed(self) -> None:
        """Return when every child has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _add(self) -> None:
        child = None
        try:
            child = await WarmChild.start(known=tuple(self._known))
            self._children.add(child)
            if not self.is_open:
                child.kill("the pool was closed")
            await child.ready()
        except Exception as error:
            # A place must not be lost: the next job takes the failure, and lets another child start.
            if child is not None:
                self._children.discard(child)
            if not isinstance(error, StockyardError):
                error = ChildNotStarted(f"a child process could not be started: {error}")
            if self._retiring:
                self._retiring -= 1
            else:
                self.failures.append(error)
        else:
            self._spawn(self._serve(child))
            if not self.is_open:
                self.discard(child)
            elif self._retiring:
                self._retiring -= 1
                self.discard(child)
            else:
                self.ready.append(child)
        self._on_change()

    async def _reap(self, child: WarmChild, died_idle: bool) -> None:
        code = await child.close(self._term_grace)
        self._children.discard(child)
        if died_idle:
            _log.warning("an idle child process (pid %d) died: %s; it is replaced", child.pid, cause_of(code))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch_memory(self, limit: int) -> None:
        while self.is_open:
            await asyncio.sleep(_MEMORY_CHECK)
            for child in self.ready:
                if child.in_flight and (used := _resident(child.pid)) > limit:
                    kill_reason = f"memory limit reached: {used:,} bytes are resident, {limit:,} are allowed"
                    child.kill(kill_reason, for_job=child.in_flight[0])


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * _PAGE

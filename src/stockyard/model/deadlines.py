"""Deadlines of tasks, by one timer for all of a loop: nearly all blocks are over long before they are due."""

from __future__ import annotations

import asyncio
import math


class Deadline:
    """Cancels the running task after a time, as ``asyncio.timeout`` does at a higher cost.

    Args:
        seconds: from now on.

    Attributes:
        due: when, by the loop's clock.
    """

    __slots__ = ("_cancelling", "_is_over", "_task", "_timer", "due")

    def __init__(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._is_over = False
        self.due: float = loop.time() + seconds
        self._timer = _timers.get(loop) or _new_timer(loop)
        self._timer.add(self)

    def end(self, error: BaseException | None) -> bool:
        """Say whether it ended the block, and nobody else cancelled the task."""
        self._timer.running.discard(self)
        if not self._is_over:
            return False
        return self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError)

    def hasten(self, seconds: float) -> None:
        """Expire so much sooner."""
        if self in self._timer.running:
            self.due -= seconds
            self._timer.add(self)

    def expire(self) -> None:
        """Cancel the task."""
        self._is_over = True
        self._task.cancel()


class _Timer:
    """The deadlines of a loop whose blocks are not over.

    Args:
        loop: the running one.

    Attributes:
        running: these deadlines.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.running: set[Deadline] = set()
        self._loop = loop
        self._due = math.inf
        self._handle: asyncio.TimerHandle | None = None

    def add(self, deadline: Deadline) -> None:
        """Let a deadline expire when it is due; one that is known may be due sooner than it was."""
        self.running.add(deadline)
        if deadline.due < self._due:
            if self._handle is not None:
                self._handle.cancel()
            self._wake_at(deadline.due)

    def _wake_at(self, due: float) -> None:
        self._due = due
        self._handle = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._due, self._handle = math.inf, None
        now = self._loop.time()
        for deadline in [each for each in self.running if each.due <= now]:
            self.running.discard(deadline)
            deadline.expire()
        if self.running:
            self._wake_at(min(each.due for each in self.running))


_timers: dict[asyncio.AbstractEventLoop, _Timer] = {}


def _new_timer(loop: asyncio.AbstractEventLoop) -> _Timer:
    for closed in [each for each in tuple(_timers) if each.is_closed()]:
        _timers.pop(closed, None)
    timer = _timers[loop] = _Timer(loop)
    return timer

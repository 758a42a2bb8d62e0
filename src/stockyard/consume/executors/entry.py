"""One job in a process pool: in its line, in the pipe of a child, or running."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from time import perf_counter

from stockyard.consume.executors.frames import ChildTask, End
from stockyard.model.job import JobPort


class Entry:
    """A job with a caller that awaits its end.

    Args:
        task: the job.
        port: does what its handler asks for.
        timeout: seconds that it may run, or None.
        is_ahead: it was taken though all children had a job each: it is handed back rather than kept waiting.
        on_begin: called when it begins to run.

    Attributes:
        task, port, timeout, is_ahead: as given.
        end: how it ended; done early where its caller was cancelled, or its time was over.
        left: set when no child has it any more.
        context: that of its caller, for what is done for it.
        began: when it began to run, by ``perf_counter``; None as long as it waits.
        timer: ends it when its time is over.
    """

    __slots__ = ("_on_begin", "began", "context", "end", "is_ahead", "left", "port", "task", "timeout", "timer")

    def __init__(
        self,
        task: ChildTask,
        port: JobPort,
        *,
        timeout: float | None,
        is_ahead: bool,
        on_begin: Callable[[], None] | None,
    ) -> None:
        self.task = task
        self.port = port
        self.timeout = timeout
        self.is_ahead = is_ahead
        self.end: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self.left = asyncio.Event()
        self.context = contextvars.copy_context()
        self.began: float | None = None
        self.timer: asyncio.TimerHandle | None = None
        self._on_begin = on_begin

    def begin(self) -> None:
        """Note that its handler runs from now on."""
        self.began = perf_counter()
        if self._on_begin is not None:
            self._on_begin()

    def settle(self, end: End | BaseException) -> None:
        """Let its caller go on; what comes second is ignored."""
        self.leave()
        if self.end.done():
            return
        if isinstance(end, BaseException):
            self.end.set_exception(end)
        else:
            self.end.set_result(end)

    def leave(self) -> None:
        """Note that no child has it, as before it was given to one."""
        self.left.set()
        self.began = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

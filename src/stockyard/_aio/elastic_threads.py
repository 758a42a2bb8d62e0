"""Threads for plain functions, which may wait for each other without bringing all to a halt."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_IDLE_SECONDS = 10.0


class ElasticThreads:
    """Daemon threads of one loop, started as needed.

    A fixed number of threads would deadlock as soon as each runs a function that waits for one in the line. So the
    number is only the usual one: a nested call is started at once whatever runs, and for others one thread is
    added whenever the line has not moved for a while.

    Args:
        usual: threads that are started without delay.
        growth_delay: seconds without movement after which one more is started.
    """

    def __init__(self, usual: int = 64, growth_delay: float = 0.1) -> None:
        self._usual = usual
        self._growth_delay = growth_delay
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Callable[[], None]] = deque()
        self._wakeup = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._taken = 0
        self._is_watched = False

    async def run(self, function: Callable[..., Any], *arguments: Any, is_nested: bool) -> Any:
        """Call the function in a thread, in the caller's context; return its result or raise its error.

        Args:
            function, arguments: what to call.
            is_nested: a function that runs in one of the threads waits for it.
        """
        context = contextvars.copy_context()
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = context.run(function, *arguments)
            except StopIteration as error:
                # It cannot be raised in a coroutine: the caller would never learn of the end.
                future.set_exception(RuntimeError(f"{function!r} raised {error!r}"))
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._enter(work, is_nested=is_nested)
        return await asyncio.wrap_future(future)

    def _enter(self, work: Callable[[], None], *, is_nested: bool) -> None:
        with self._wakeup:
            if is_nested:
                self._queue.appendleft(work)
            else:
                self._queue.append(work)
            if len(self._queue) <= self._idle:
                self._wakeup.notify()
            elif is_nested or self._threads < self._usual:
                self._start()
            elif not self._is_watched:
                self._is_watched = True
                self._loop.call_later(self._growth_delay, self._look, self._taken)

    def _look(self, taken: int) -> None:
        with self._wakeup:
            self._is_watched = bool(self._queue)
            if not self._is_watched:
                return
            if self._taken == taken:
                self._start()
            self._loop.call_later(self._growth_delay, self._look, self._taken)

    def _start(self) -> None:
        try:
            threading.Thread(target=self._serve, name="stockyard-threads", daemon=True).start()
        except RuntimeError:
            # The machine has no more threads; those that run take what is in the line.
            if not self._threads:
                self._queue.clear()
                raise
            return
        self._threads += 1

    def _serve(self) -> None:
        while (work := self._next()) is not None:
            work()
            # What it held must not outlive it while this thread is idle.
            del work

    def _next(self) -> Callable[[], None] | None:
        with self._wakeup:
            while not self._queue:
                self._idle += 1
                is_called = self._wakeup.wait(_IDLE_SECONDS)
                self._idle -= 1
                if not is_called and not self._queue:
                    self._threads -= 1
                    return None
            self._taken += 1
            return self._queue.popleft()

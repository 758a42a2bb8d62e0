"""Runs plain functions in daemon threads, which never keep a process from ending."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any


class ThreadPool:
    """Up to ``size`` threads, started as needed.

    Args:
        size: threads at most.
        name: for the threads' names.
    """

    def __init__(self, *, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0
        self._guard = threading.Lock()

    async def run(self, function: Callable[[Any], Any], argument: Any) -> Any:
        """Call the function in a thread and return its result or raise its error.

        A caller that is cancelled goes on at once; the thread cannot be stopped and ends when it ends.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()

        def settle(result: Any, error: BaseException | None) -> None:
            if not future.done():
                if error is not None:
                    future.set_exception(error)
                else:
                    future.set_result(result)

        def work() -> None:
            if future.done():
                # Its caller gave up while it stood in line.
                return
            result, error = None, None
            try:
                result = context.run(function, argument)
            except BaseException as raised:
                # These two mean something else to the coroutine that they would be raised in.
                is_special = isinstance(raised, StopIteration | GeneratorExit)
                error = RuntimeError(f"the handler raised {raised!r}") if is_special else raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, result, error)

        self._tasks.put(work)
        with self._guard:
            if self._idle:
                self._idle -= 1
            elif self._threads < self._size:
                self._threads += 1
                name = f"{self._name}-{self._threads}"
                threading.Thread(target=self._serve, name=name, daemon=True).start()
        return await future

    def close(self) -> None:
        """Let every thread end after what it runs."""
        for _ in range(self._threads):
            self._tasks.put(None)

    def _serve(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
            with self._guard:
                if self._tasks.empty():
                    self._idle += 1

"""Lets code without a running loop use asynchronous objects: a thread with a loop, and a blocking view of them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from stockyard.errors import BlockingCallRefused

T = TypeVar("T")
_SPELLINGS = {"__aenter__": "async with …", "__aexit__": "async with …", "__anext__": "async for … in …"}


class Portal:
    """A loop in a thread of its own, started at the first call; a forked child gets a new one."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._owner = 0

    @property
    def is_open(self) -> bool:
        """Whether its thread runs in this process."""
        return self._loop is not None and self._owner == os.getpid()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the portal's loop and return its result, or raise its error."""
        loop = self._running_loop()
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("a blocking call from the portal's own loop would wait for itself: use await")
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def call(self, method: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
        """Run a coroutine method on the portal's loop, for a caller that has no loop.

        Raises:
            BlockingCallRefused: an event loop runs in this thread, and would stand still meanwhile.
        """
        self._refuse_in_loop(method)
        return self.run(method(*args, **kwargs))

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the portal's loop and return the future of its result, without waiting."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._running_loop())

    def blocking(self, target: Any) -> Blocking:
        """Return a view of an object whose coroutine methods block until they are done."""
        return Blocking(self, target)

    def close(self) -> None:
        """End the thread; closing twice is fine, and a later call starts a new one."""
        with self._guard:
            loop, thread, owner = self._loop, self._thread, self._owner
            self._loop = self._thread = None
        if loop is not None and thread is not None and owner == os.getpid():
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _refuse_in_loop(self, method: Callable[..., Any]) -> None:
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return
        if running is self._loop and threading.current_thread() is not self._thread:
            # Threads that are none, as gevent makes them, share what asyncio knows of the running loop.
            return
        name = getattr(method, "__qualname__", repr(method))
        twin = _SPELLINGS.get(name.rpartition(".")[2], f"await ….{name.rpartition('.')[2]}(…)")
        raise BlockingCallRefused(
            f"{name} of .sync blocks its thread, and this thread runs an event loop, which would stand still: "
            f"leave out .sync and write `{twin}`, or call it in a thread by asyncio.to_thread"
        )

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._guard:
            if self._loop is None or self._owner != os.getpid():
                loop = asyncio.new_event_loop()
                self._loop, self._owner = loop, os.getpid()
                self._thread = threading.Thread(
                    target=_run_loop, args=(loop,), name="stockyard-portal", daemon=True
                )
                self._thread.start()
            return self._loop


class Blocking:
    """The blocking view of one object: same names, same arguments, same results; ``with`` and ``for`` as well."""

    def __init__(self, portal: Portal, target: Any) -> None:
        self._portal = portal
        self._target = target

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not inspect.iscoroutinefunction(found):
            return found

        @functools.wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            return self._portal.call(found, *args, **kwargs)

        return call

    def __enter__(self) -> Self:
        self._portal.call(self._target.__aenter__)
        return self

    def __exit__(self, *error: object) -> None:
        self._portal.call(self._target.__aexit__, *error)

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                yield self._portal.call(self._target.__anext__)
            except StopAsyncIteration:
                return

    def __repr__(self) -> str:
        return f"<blocking view of {self._target!r}>"


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

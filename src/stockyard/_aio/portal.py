"""Lets code without a running loop use asynchronous objects: a thread with a loop, and a blocking view of them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import sys
import threading
from collections.abc import Callable, Collection, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from stockyard._aio.blocking_refusals import closed_before, cut_off, shut_down
from stockyard._aio.direct import run_to_end
from stockyard._aio.process_lock import ProcessLock
from stockyard.blocking import BlockingView
from stockyard.errors import BlockingCallRefused, SharedWorkCancelled

T = TypeVar("T")
_SPELLINGS = {"__aenter__": "async with …", "__aexit__": "async with …", "__anext__": "async for … in …"}


class Portal:
    """A loop in a thread of its own, started at the first call; a forked child gets a new one."""

    def __init__(self) -> None:
        self._guard = ProcessLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._owner = 0
        self._pending: dict[Coroutine[Any, Any, Any], Future[Any]] = {}
        self._cut_off: set[Coroutine[Any, Any, Any]] = set()
        self._closers = 0

    @property
    def is_open(self) -> bool:
        """Whether its thread runs in this process."""
        return self._loop is not None and self._owner == os.getpid()

    @property
    def is_current(self) -> bool:
        """Whether this code runs on the portal's own loop."""
        return self.is_open and threading.current_thread() is self._thread

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the portal's loop and return its result, or raise its error."""
        try:
            loop = self._loop_of_call()
        except BaseException:
            coroutine.close()
            raise
        try:
            return self._result(self._hand_over(coroutine, loop), coroutine)
        except BaseException:
            _abandon(coroutine, loop)
            raise
        finally:
            self._pending.pop(coroutine, None)
            self._cut_off.discard(coroutine)

    def _result(self, future: Future[T], coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return future.result()
        except (CancelledError, SharedWorkCancelled):
            if coroutine in self._cut_off:
                raise cut_off() from None
            raise
        except RuntimeError as error:
            # Executors and threads say so by words alone.
            if "interpreter shutdown" in str(error):
                raise shut_down() from error
            raise

    def call(self, method: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
        """Run a coroutine method on the portal's loop, for a caller that has no loop.

        Raises:
            BlockingCallRefused: an event loop runs in this thread, and would stand still meanwhile.
        """
        self._refuse_in_loop(method)
        return self.run(method(*args, **kwargs))

    def call_directly(self, method: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
        """Run a coroutine method that never suspends where no loop runs, in the calling thread.

        Raises:
            BlockingCallRefused: as ``call``.
        """
        if asyncio._get_running_loop() is not None:
            return self.call(method, *args, **kwargs)
        _refuse_without_threads()
        return run_to_end(method(*args, **kwargs))

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the portal's loop and return the future of its result, without waiting."""
        try:
            _refuse_without_threads()
            loop = self._running_loop()
        except BaseException:
            coroutine.close()
            raise
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, loop)
        except BaseException:
            _abandon(coroutine, loop)
            raise

    def blocking(self, target: Any, *, needs_loop: Collection[str] | None = None) -> Any:
        """Return a view of an object whose coroutine methods block until they are done.

        Args:
            target: the object.
            needs_loop: names of the methods that run on the portal's loop, while all others run in the calling
                thread: these await nothing but calls to the server. Defaults to all.
        """
        return Blocking(self, target, needs_loop)

    @contextmanager
    def cutting_off(self) -> Iterator[None]:
        """Let the calls that the block breaks off, as their shared work ends, say that the App was closed."""
        with self._guard:
            self._closers += 1
            self._cut_off_pending()
        try:
            yield
        finally:
            with self._guard:
                self._closers -= 1

    def close(self) -> None:
        """End the thread; closing twice is fine, and a later call starts a new one."""
        with self._guard:
            loop, thread, owner = self._loop, self._thread, self._owner
            self._loop = self._thread = None
        if loop is not None and thread is not None and owner == os.getpid():
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            _run_loop(loop, self._cut_off_pending)
        finally:
            # Calls that came when the loop had stopped already would wait for ever.
            for future in self._cut_off_pending():
                future.cancel()

    def _cut_off_pending(self) -> list[Future[Any]]:
        """Note the calls under way as cut off, before anything cancels them: they raise another error."""
        # No lock: a signal handler may close the portal while its thread has it, and calls begin no more.
        pending = self._pending.copy()
        self._cut_off.update(pending)
        return list(pending.values())

    def _loop_of_call(self) -> asyncio.AbstractEventLoop:
        _refuse_without_threads()
        try:
            loop = self._running_loop()
        except RuntimeError as error:
            raise shut_down() from error
        if self.is_current:
            raise RuntimeError("a blocking call from the portal's own loop would wait for itself: use await")
        return loop

    def _hand_over(self, coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> Future[T]:
        with self._guard:
            if loop is not self._loop:
                coroutine.close()
                raise closed_before()
            future = self._pending[coroutine] = asyncio.run_coroutine_threadsafe(coroutine, loop)
            if self._closers:
                self._cut_off.add(coroutine)
        return future

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
                if self._owner != os.getpid():
                    # Calls of the parent's threads: their futures may be locked for ever.
                    self._pending, self._cut_off, self._closers = {}, set(), 0
                self._loop, self._owner = loop, os.getpid()
                self._thread = threading.Thread(
                    target=self._serve, args=(loop,), name="stockyard-portal", daemon=True
                )
                self._thread.start()
            return self._loop


class Blocking(BlockingView):
    """The blocking view of one object: same names, same arguments, same results; ``with`` and ``for`` as well."""

    def __init__(self, portal: Portal, target: Any, needs_loop: Collection[str] | None = None) -> None:
        values = self.__dict__
        values["_portal"], values["_target"], values["_needs_loop"] = portal, target, needs_loop

    def __getattr__(self, name: str) -> Any:
        # A copy is asked for special methods before it has its target.
        if name.startswith("__") or name == "_target":
            raise AttributeError(f"a blocking view has no {name}")
        found = getattr(self._target, name)
        if not inspect.iscoroutinefunction(found):
            return found

        needs_loop = self._needs_loop is None or name in self._needs_loop
        run = self._portal.call if needs_loop else self._portal.call_directly

        @functools.wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            return run(found, *args, **kwargs)

        # Found without this method from now on.
        self.__dict__[name] = call
        return call

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{name} cannot be assigned on {self!r}: it passes calls on, and holds nothing")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in dir(self._target) if not name.startswith("_"))})

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


def _refuse_without_threads() -> None:
    if sys.is_finalizing():
        raise shut_down()
    if _is_patched():
        raise BlockingCallRefused(
            "blocking calls (.sync) run an event loop in a thread, and gevent or eventlet has replaced "
            "threads or the waiting for sockets here: patch with monkey.patch_all(thread=False, "
            "select=False), or call from a process that is not patched"
        )


def _is_patched() -> bool:
    """Say whether threads are greenlets here, or loops wait by the hub of greenlets."""
    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    if gevent is not None and any(map(gevent.is_module_patched, ("threading", "select", "selectors"))):
        return True
    return eventlet is not None and any(map(eventlet.is_monkey_patched, ("thread", "select")))


def _abandon(coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
    """End what an exception left under way, such as one of a signal handler.

    The loop does it, which alone knows whether it has the coroutine; to close it here might be in its middle.
    """
    if inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED:
        return
    try:
        loop.call_soon_threadsafe(_end, coroutine)
    except RuntimeError:
        # The loop is closed, and runs nothing any more.
        coroutine.close()


def _end(coroutine: Coroutine[Any, Any, Any]) -> None:
    tasks = [task for task in asyncio.all_tasks() if task.get_coro() is coroutine]
    for task in tasks:
        task.cancel()
    if not tasks:
        coroutine.close()


def _run_loop(loop: asyncio.AbstractEventLoop, cut_off: Callable[[], object]) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        cut_off()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

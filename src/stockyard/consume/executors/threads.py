"""Runs plain functions in daemon threads, which never keep a process from ending."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

from stockyard.consume.executors.not_started import NotStarted
from stockyard.consume.executors.timeouts import timed_out
from stockyard.errors import Requeue
from stockyard.model.printing import printed

LEAST_REPLACEMENTS = 16
"""Threads that a pool replaces at least before its places become fewer."""


class AbandonedThread(NamedTuple):
    """A thread whose caller no longer waits for it, and which goes on.

    Attributes:
        subject: what its caller named the call by.
        reason: why the caller gave it up.
        seconds: how long the function has run.
        stack: where it is now, as text; empty once it has returned.
    """

    subject: Any
    reason: str
    seconds: float
    stack: str = ""


class ThreadPool:
    """Up to ``size`` threads, started as needed.

    Python cannot stop a thread. One whose caller gives up, by its timeout or because it is cancelled, is
    abandoned: another takes its place, until ``replacements`` of them hang at once. From then on each further one
    takes a place away until one returns; ``lost`` says how many.

    Args:
        size: threads at most that callers wait for.
        name: for the threads' names.
        replacements: abandoned threads at most that are replaced. Defaults to twice the size, at least 16.
        on_abandoned: called, in the loop, when a thread is abandoned.
        on_returned: called, in that thread, when an abandoned one returns.
    """

    def __init__(
        self,
        *,
        size: int,
        name: str,
        replacements: int | None = None,
        on_abandoned: Callable[[AbandonedThread], None] = lambda _: None,
        on_returned: Callable[[AbandonedThread], None] = lambda _: None,
    ) -> None:
        self._size = size
        self._name = name
        self._replacements = replacements
        self._on_abandoned = on_abandoned
        self._on_returned = on_returned
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0
        self._made = 0
        self._is_open = True
        self._refusal = ""
        self._abandoned: set[_Call] = set()
        self._guard = threading.Lock()

    @property
    def hung(self) -> int:
        """How many abandoned threads still run."""
        return len(self._abandoned)

    @property
    def lost(self) -> int:
        """How many places abandoned threads take away; ``size`` or more: nothing can run."""
        return max(0, len(self._abandoned) - self.most_replaced)

    @property
    def most_replaced(self) -> int:
        """How many abandoned threads are replaced at most."""
        return max(LEAST_REPLACEMENTS, 2 * self._size) if self._replacements is None else self._replacements

    def resize(self, size: int) -> None:
        """Use up to so many threads from now on; those that run beyond it end after what they run."""
        with self._guard:
            self._size = size
            while self._idle and self._threads > self._places:
                self._idle -= 1
                self._threads -= 1
                self._calls.put(None)
            self._start_missing()

    async def run(self, function: Callable[[Any], Any], argument: Any, *, timeout: float | None = None) -> Any:
        """Call the function in a thread and return its result or raise its error.

        A caller that is cancelled goes on at once; the thread is abandoned.

        Args:
            function: what to call.
            argument: what to call it with.
            timeout: seconds from when the function starts, after which the thread is abandoned. Defaults to no
                limit.

        Raises:
            JobTimeout: the function ran longer than ``timeout``.
            Requeue: every thread hangs and none may be added.
            NotStarted: the machine gives no thread, and none is there.
        """
        return (await self.call(function, argument, timeout=timeout, subject=argument))[0]

    async def call(
        self, function: Callable[[Any], Any], argument: Any, *, timeout: float | None = None, subject: Any = None
    ) -> tuple[Any, contextvars.Context]:
        """Do as ``run``; return the result and the context that the function ran in.

        ``subject`` is what an abandoned thread is named by.
        """
        if self._is_stuck:
            raise Requeue
        call = _Call(asyncio.get_running_loop(), function, argument, subject)
        self._calls.put(call)
        with self._guard:
            if self._idle:
                self._idle -= 1
            elif self._threads < self._places:
                self._start_thread()
            if not self._threads:
                call.is_over = True
                raise self._no_thread()
        if timeout is not None:
            call.watch(timeout, self._abandon)
        try:
            return await call.future, call.context
        except asyncio.CancelledError as error:
            if call.future.cancelled():
                self._abandon(call, str(error) or "its run was cancelled")
            raise
        finally:
            call.unwatch()

    def close(self) -> list[AbandonedThread]:
        """Let every thread end after what it runs; return the abandoned ones, which still run."""
        with self._guard:
            self._is_open = False
            for _ in range(self._threads):
                self._calls.put(None)
            abandoned = list(self._abandoned)
        return [call.described(stack=stack_of_thread(call.thread)) for call in abandoned]

    @property
    def _places(self) -> int:
        return self._size - self.lost

    @property
    def _is_stuck(self) -> bool:
        return bool(self._abandoned) and self._places <= 0

    def _start_thread(self) -> None:
        self._made += 1
        name = f"{self._name}-{self._made}"
        try:
            threading.Thread(target=self._serve, name=name, daemon=True).start()
        except RuntimeError as error:
            # Threads that run take what waits, one behind the other.
            self._refusal = str(error)
        else:
            self._threads += 1

    def _start_missing(self) -> None:
        for _ in range(min(self._calls.qsize() - self._idle, self._places - self._threads)):
            self._start_thread()

    def _no_thread(self) -> NotStarted:
        return NotStarted(f"the machine gives no thread for the job: {self._refusal}")

    def _abandon(self, call: _Call, reason: str) -> bool:
        """Give a call up; return whether its function has not returned."""
        with self._guard:
            if call.is_over:
                return False
            call.is_over = True
            if call.began is None:
                return True
            call.reason = reason
            self._abandoned.add(call)
            self._threads -= 1
            self._start_missing()
            is_stuck = self._is_stuck
            dropped = self._drained() if is_stuck or not self._threads else []
        self._on_abandoned(call.described(stack=stack_of_thread(call.thread)))
        for waiting in dropped:
            waiting.settle(None, Requeue() if is_stuck else self._no_thread())
        return True

    def _drained(self) -> list[_Call]:
        calls = []
        for _ in range(self._calls.qsize()):
            with contextlib.suppress(queue.Empty):
                if (call := self._calls.get_nowait()) is None:
                    self._calls.put(None)
                else:
                    call.is_over = True
                    calls.append(call)
        return calls

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            with self._guard:
                is_wanted = not call.is_over
                if is_wanted:
                    call.thread = threading.get_ident()
                    call.began = time.monotonic()
            result, error = call.work() if is_wanted else (None, None)
            with self._guard:
                is_ours, call.is_over = not call.is_over, True
                is_back = call in self._abandoned
                if is_back:
                    self._abandoned.discard(call)
                    self._threads += 1
                is_spare = self._threads > self._places or (is_back and not self._is_open)
                if is_spare:
                    self._threads -= 1
                elif self._calls.empty():
                    self._idle += 1
            if is_ours:
                call.deliver(result, error)
            if is_back:
                self._on_returned(call.described())
            if is_spare:
                return


class _Call:
    """One call of a function in a thread.

    Attributes:
        future: its end, for the caller.
        context: in which the function runs.
        began: when it did, by ``time.monotonic``; None before.
        thread: which one runs it.
        is_over: nobody waits for it any more: it has returned, or was given up.
        reason: why it was given up.
        subject: what the caller names it by.
    """

    __slots__ = (
        "_argument",
        "_function",
        "_loop",
        "_timer",
        "began",
        "context",
        "future",
        "is_over",
        "reason",
        "subject",
        "thread",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, function: Callable[[Any], Any], argument: Any, subject: Any
    ) -> None:
        self._loop = loop
        self._function = function
        self._timer: asyncio.TimerHandle | None = None
        self._argument = argument
        self.subject = subject
        self.context = contextvars.copy_context()
        self.future: asyncio.Future[Any] = loop.create_future()
        self.began: float | None = None
        self.thread = 0
        self.is_over = False
        self.reason = ""

    def work(self) -> tuple[Any, BaseException | None]:
        """Call the function; return its result or its error."""
        try:
            return self.context.run(self._function, self._argument), None
        except BaseException as error:
            # These two mean something else to the coroutine that they would be raised in.
            is_special = isinstance(error, StopIteration | GeneratorExit)
            return None, RuntimeError(f"the handler raised {printed(error)}") if is_special else error

    def deliver(self, result: Any, error: BaseException | None) -> None:
        """Let the caller go on."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self.settle, result, error)

    def settle(self, result: Any, error: BaseException | None) -> None:
        """End the future, unless the caller was cancelled meanwhile."""
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

    def watch(self, timeout: float, abandon: Callable[[_Call, str], bool]) -> None:
        """Give the call up so many seconds after its function started."""

        def look() -> None:
            if self.future.done():
                return
            left = timeout if self.began is None else self.began + timeout - time.monotonic()
            if left > 0:
                self._timer = self._loop.call_later(left, look)
            elif abandon(self, f"it ran longer than its timeout of {timeout:g} s"):
                self.settle(None, timed_out(timeout))

        self._timer = self._loop.call_later(timeout, look)

    def unwatch(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()

    def described(self, *, stack: str = "") -> AbandonedThread:
        """Say what there is to say of it once it is given up."""
        seconds = 0.0 if self.began is None else time.monotonic() - self.began
        return AbandonedThread(self.subject, self.reason, seconds, stack)


def thread_awaited_in(frame: FrameType) -> int:
    """Return which thread a suspended ``ThreadPool.call`` waits for, by its frame; 0 for another frame."""
    call = frame.f_locals.get("call") if frame.f_code is ThreadPool.call.__code__ else None
    return call.thread if isinstance(call, _Call) else 0


def stack_of_thread(thread: int) -> str:
    """Return where the function stands that a thread of a pool runs, as text; empty once it has returned."""
    frame = sys._current_frames().get(thread)
    if frame is None:
        return ""
    lines = traceback.extract_stack(frame)
    # From the function on: what called it is the pool.
    own = [index for index, line in enumerate(lines) if line.filename == __file__]
    return "".join(traceback.format_list(lines[own[-1] + 1 :] if own else lines)).rstrip()

"""Runs CPU-bound handlers in warm child processes, which can be killed and fail alone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from stockyard._logging import about, about_job
from stockyard.consume.executors.frames import ChildTask, Raised, Signalled
from stockyard.consume.executors.not_started import ChildNotStarted
from stockyard.consume.executors.warm_child import WarmChild, cause_of, refuse_in_child
from stockyard.errors import InvalidOption, JobTimeout, StockyardError, WorkerProcessDied
from stockyard.model.job import JobPort

__all__ = ["ChildTask", "ProcessPool"]

_log = logging.getLogger(__name__)
_PAGE = os.sysconf("SC_PAGE_SIZE")

_KILL_SECONDS = 0.2
"""What a SIGKILL may take to be noticed."""

_MEMORY_CHECK = 0.1
"""Seconds between two looks at the memory of running children."""


class ProcessPool:
    """A fixed number of warm children; each runs one job at a time and is replaced when it dies.

    Each of the ``size`` places is at any time a child that starts, one that waits in line, or one that runs a job.

    Args:
        size: how many children.
        recycle_after: a child is replaced after so many jobs; None keeps it for ever. Defaults to 1000.
        memory_limit: bytes of resident memory above which a job's child is killed. Defaults to no limit. It is
            looked at ten times a second, so a fast handler may pass it for a moment; the limit of a container is
            the wall behind it. Resident memory, because a limit of the address space (RLIMIT_AS) would refuse
            what numeric libraries only reserve. Needs ``/proc`` (Linux).
        term_grace: seconds that an idle child has for its exit handlers before it is killed. Defaults to 2.

    Raises:
        InvalidOption: an argument is out of its range.
    """

    def __init__(
        self,
        *,
        size: int,
        recycle_after: int | None = 1000,
        memory_limit: int | None = None,
        term_grace: float = 2.0,
    ) -> None:
        for option, value in (("size", size), ("recycle_after", recycle_after), ("memory_limit", memory_limit)):
            if value is not None and value < 1:
                raise InvalidOption(f"{option} must be 1 or more; got {value!r}")
        if memory_limit is not None and not Path("/proc/self/statm").exists():
            raise InvalidOption("memory_limit needs /proc, which this system does not have: leave it out")
        self._size = size
        self._recycle_after = recycle_after
        self._memory_limit = memory_limit
        self._term_grace = term_grace
        self._turns = asyncio.Semaphore(size)
        self._idle: asyncio.Queue[WarmChild | StockyardError] = asyncio.Queue()
        self._children: set[WarmChild] = set()
        self._running: set[WarmChild] = set()
        self._known: dict[str, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._retiring = 0
        self._open = False

    async def start(self) -> None:
        """Begin to start the children; a job waits for the first that is ready, not for all.

        Raises:
            StockyardError: called while a child imports the main module, which lacks its guard.
        """
        refuse_in_child()
        self._open = True
        for _ in range(self._size):
            self._fill_place()
        if self._memory_limit is not None:
            self._spawn(self._watch_memory(self._memory_limit))

    def resize(self, size: int) -> None:
        """Keep so many children from now on; one that runs a job ends after it."""
        change, self._size = size - self._size, size
        for _ in range(change if self._open else 0):
            self._fill_place()
            self._turns.release()
        for _ in range(-change if self._open else 0):
            self._retiring += 1
            self._spawn(self._retire())
        if not self._open:
            self._turns = asyncio.Semaphore(size)

    async def run(self, task: ChildTask, *, port: JobPort, timeout: float | None = None) -> bytes:
        """Run a job in the next free child; return its result as JSON text. Calls are served in their order.

        When the awaiting task is cancelled, the child is killed at once.

        Args:
            task: the job.
            port: does what the handler asks of its job.
            timeout: seconds of running, not of waiting for a child. Defaults to no limit.

        Raises:
            JobTimeout: it ran longer than ``timeout``; its child was killed.
            WorkerProcessDied: its child ended before it did, or never took a job because the program failed in it;
                the message says how.
            ChildNotStarted: the machine gave no child.
            RunSignal: the handler ended its run by this signal.
            UnrecoverableError: the handler raised it.
            PayloadError: the payload does not fit what the handler declares, or the result is not JSON-able.
            HandlerError: a child cannot import the handler.
            JobError, ServerError: ``port`` raised it, and the handler let it pass.
            RemoteHandlerError: the handler raised anything else. It is also the cause of the four before it.
            StockyardError: the pool is not open.
        """
        async with self._turns:
            child = await self._next_child()
            last = child.runs + 1 == self._recycle_after
            if last:
                self._fill_place()  # so that the next job finds a warm one
            self._running.add(child)
            try:
                async with asyncio.timeout(timeout):
                    end = await child.perform(task, port=port)
            except BaseException as error:
                child.kill()
                self._discard(child)
                if not last:
                    self._fill_place()
                if isinstance(error, TimeoutError):
                    _log.warning(
                        "%s ran longer than its timeout of %g s: its child process (pid %d) was killed",
                        about(task),
                        timeout,
                        child.pid,
                        extra=about_job(task, error="JobTimeout"),
                    )
                    raise JobTimeout(
                        f"job {task.id} ran longer than its timeout of {timeout:g} s; its child process was killed"
                    ) from None
                if isinstance(error, WorkerProcessDied):
                    _log.warning(
                        "%s lost its child process (pid %d): %s",
                        about(task),
                        child.pid,
                        error.cause,
                        extra=about_job(task, error="WorkerProcessDied"),
                    )
                raise
            finally:
                self._running.discard(child)
            if last:
                self._discard(child)
            else:
                self._idle.put_nowait(child)
        if isinstance(end, Signalled):
            raise end.revived()
        if isinstance(end, Raised):
            raise end.revived(task.id)
        self._known[task.handler] = None
        return end.result

    async def aclose(self, seconds: float | None = None) -> None:
        """End every child: idle ones in ``term_grace`` seconds, others at once. Jobs that still run fail.

        Args:
            seconds: for idle ones, if that is shorter than ``term_grace``.
        """
        self._open = False
        if seconds is not None:
            self._term_grace = min(self._term_grace, max(seconds - _KILL_SECONDS, 0.0))
        idle = set[WarmChild | StockyardError]()
        while not self._idle.empty():
            idle.add(self._idle.get_nowait())
        for _ in range(self._size + self._retiring):
            self._idle.put_nowait(_not_open())
        for child in self._children:
            if child not in idle:
                child.kill("the pool was closed")
            self._discard(child)
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _next_child(self) -> WarmChild:
        while self._open:
            match await self._idle.get():
                case WarmChild() as child if child.gone:
                    self._discard(child, died_idle=True)
                    self._fill_place()
                case WarmChild() as child:
                    return child
                case failure:
                    self._fill_place()
                    raise failure
        raise _not_open()

    async def _retire(self) -> None:
        """Give up one place for good: in its turn, like a job, and with the child that it gets."""
        await self._turns.acquire()
        while self._open:
            with contextlib.suppress(StockyardError):
                self._discard(await self._next_child())
                break
        self._retiring -= 1

    def _fill_place(self) -> None:
        if self._open:
            self._spawn(self._add_child())

    async def _add_child(self) -> None:
        child = None
        try:
            child = await WarmChild.start(known=tuple(self._known))
            self._children.add(child)
            if not self._open:
                child.kill("the pool was closed")
            await child.ready()
        except Exception as error:
            # A place must not be lost: the next job takes the failure, and lets another child start.
            if child is not None:
                self._children.discard(child)
            if not isinstance(error, StockyardError):
                error = ChildNotStarted(f"a child process could not be started: {error}")
            self._idle.put_nowait(error)
        else:
            self._idle.put_nowait(child)

    def _discard(self, child: WarmChild, *, died_idle: bool = False) -> None:
        self._spawn(self._reap(child, died_idle))

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
        while self._open:
            await asyncio.sleep(_MEMORY_CHECK)
            for child in self._running:
                if (used := _resident(child.pid)) > limit:
                    child.kill(f"memory limit reached: {used:,} bytes are resident, {limit:,} are allowed")


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * _PAGE


def _not_open() -> StockyardError:
    return StockyardError("the process pool is not open: await start() before run(), and aclose() after the last")

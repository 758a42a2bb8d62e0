"""Runs CPU-bound handlers in warm child processes, which can be killed and fail alone."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from stockyard._logging import about, about_job
from stockyard.consume.executors.entry import Entry
from stockyard.consume.executors.frames import Call, ChildTask, FromChild, Raised, Ready, Signalled, Withdrawn
from stockyard.consume.executors.pace import Pace
from stockyard.consume.executors.places import Places
from stockyard.consume.executors.timeouts import timed_out
from stockyard.consume.executors.warm_child import WarmChild, refuse_in_child
from stockyard.errors import InvalidOption, Requeue, StockyardError
from stockyard.model.job import JobPort

__all__ = ["ChildTask", "ProcessPool"]

_log = logging.getLogger(__name__)

_SLOW = 0.1
"""Seconds for which a job may run before those behind it in its child's pipe go elsewhere."""


class ProcessPool:
    """A fixed number of warm children; each runs one job at a time and is replaced when it dies.

    Each of the ``size`` places is at any time a child that starts, one that waits for jobs, or one that runs one.
    While jobs are quick, some wait in a child's pipe behind the one that runs, so that the child begins the next
    as soon as it has ended one. When a child dies, is killed, or takes long with the job that runs, those behind
    it go to another.

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
        self._places = Places(term_grace=term_grace, serve=self._serve, on_change=self._dispatch_soon)
        self._pace = Pace()
        self._line: deque[Entry] = deque()
        self._is_dispatching = False
        self._slow_check: asyncio.TimerHandle | None = None

    @property
    def ahead(self) -> int:
        """How many more jobs than it has children it takes with profit: none unless jobs are quick."""
        depth = self._pace.depth
        if depth == 1:
            return 0
        return (depth - 1) * sum(not child.in_flight or child.seconds <= _SLOW for child in self._places.ready)

    async def start(self) -> None:
        """Begin to start the children; a job waits for the first that is ready, not for all.

        Raises:
            StockyardError: called while a child imports the main module, which lacks its guard.
        """
        refuse_in_child()
        self._places.open(self._size, self._memory_limit)

    def resize(self, size: int) -> None:
        """Keep so many children from now on; one that runs jobs ends after them."""
        change, self._size = size - self._size, size
        if self._places.is_open:
            for _ in range(change):
                self._places.fill()
            for _ in range(-change):
                self._places.give_up()

    async def run(
        self,
        task: ChildTask,
        *,
        port: JobPort,
        timeout: float | None = None,
        on_begin: Callable[[], None] | None = None,
    ) -> bytes:
        """Run a job in the next free child; return its result as JSON text. Calls are served in their order.

        When the awaiting task is cancelled, the child that runs the job is killed at once.

        Args:
            task: the job.
            port: does what the handler asks of its job.
            timeout: seconds of running, not of waiting for a child. Defaults to no limit.
            on_begin: called when it begins to run. Defaults to nothing.

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
            Requeue: it came while each child had a job, and all of these take long: it need not wait here.
            StockyardError: the pool is not open.
        """
        if not self._places.is_open:
            raise _not_open()
        in_hand = len(self._line) + sum(len(child.in_flight) for child in self._places.ready)
        is_ahead = in_hand >= self._size and self._pace.depth > 1
        entry = Entry(task, port, timeout=timeout, is_ahead=is_ahead, on_begin=on_begin)
        self._line.append(entry)
        self._dispatch_soon()
        try:
            end = await entry.end
        except asyncio.CancelledError:
            await self._withdraw(entry)
            raise
        if isinstance(end, Signalled):
            raise end.revived()
        if isinstance(end, Raised):
            raise end.revived(task.id)
        self._places.know(task.handler)
        return end.result

    async def aclose(self, seconds: float | None = None) -> None:
        """End every child: idle ones in ``term_grace`` seconds, others at once. Jobs that still run fail.

        Args:
            seconds: for idle ones, if that is shorter than ``term_grace``.
        """
        self._places.close(seconds)
        if self._slow_check is not None:
            self._slow_check.cancel()
        while self._line:
            self._line.popleft().settle(_not_open())
        await self._places.wait_closed()

    def _dispatch_soon(self) -> None:
        """Hand out what waits in the next turn of the loop: what came in this one is sent together."""
        if not self._is_dispatching:
            self._is_dispatching = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._is_dispatching = False
        places, depth = self._places, self._pace.depth
        takers: list[WarmChild] | None = None
        given = set[WarmChild]()
        while self._line and places.is_open:
            entry = self._line[0]
            if entry.end.done():
                self._line.popleft()
                continue
            if places.failures:
                # The next job takes the failure, and lets another child start.
                self._line.popleft().settle(places.failures.popleft())
                places.fill()
                continue
            if takers is None:
                takers = [child for child in list(places.ready) if self._is_taker(child, depth)]
            child = min(takers, key=lambda each: len(each.in_flight), default=None)
            if child is None:
                break
            if not child.takes(entry, depth):
                takers.remove(child)
                continue
            self._line.popleft()
            child.add(entry)
            given.add(child)
            if len(child.in_flight) == 1:
                self._begin(child)
            if child.runs == self._recycle_after:
                child.keeps_place = False
                takers.remove(child)
                places.fill()  # so that the next job finds a warm one
        for child in given:
            child.send()
        self._watch_for_slow()

    def _is_taker(self, child: WarmChild, depth: int) -> bool:
        """Say whether a child is to be given jobs now: an idle one, or one whose pipe of quick jobs runs low."""
        if not child.keeps_place:
            return False
        if child.in_flight:
            # By half a pipe at a time: each write wakes the child's thread that reads.
            return len(child.in_flight) <= depth // 2 and child.seconds <= _SLOW
        if child.gone:
            self._places.replace_idle(child)
            return False
        return True

    def _begin(self, child: WarmChild) -> None:
        """Note that the first job of a child runs from now on."""
        entry = child.in_flight[0]
        entry.begin()
        if entry.end.done():
            # Its caller was cancelled while it was behind another.
            child.kill(for_job=entry)
        elif entry.timeout is not None:
            entry.timer = asyncio.get_running_loop().call_later(entry.timeout, self._time_out, child, entry)

    def _time_out(self, child: WarmChild, entry: Entry) -> None:
        child.kill(for_job=entry)
        _log.warning(
            "%s ran longer than its timeout of %g s: its child process (pid %d) was killed",
            about(entry.task),
            entry.timeout,
            child.pid,
            extra=about_job(entry.task, error="JobTimeout"),
        )
        entry.settle(timed_out(entry.timeout or 0.0))

    async def _withdraw(self, entry: Entry) -> None:
        """Let no child run a job whose caller was cancelled; one in the line is passed over."""
        child = self._places.holder_of(entry)
        if child is None:
            return
        if child.in_flight[0] is entry:
            child.kill(for_job=entry)
            return
        # Its child gives it back, or is killed when it begins with it: only then is it sure not to run.
        child.take_back()
        await entry.left.wait()

    def _watch_for_slow(self) -> None:
        """Look again soon, as long as a job waits behind another."""
        if self._slow_check is not None or not self._places.is_open:
            return
        if any(entry.is_ahead for entry in self._line) or any(
            len(child.in_flight) > 1 for child in self._places.ready
        ):
            self._slow_check = asyncio.get_running_loop().call_later(_SLOW / 2, self._look_for_slow)

    def _look_for_slow(self) -> None:
        """Take back what waits behind slow jobs; where all are slow, hand back what came ahead of its turn."""
        self._slow_check = None
        slow = [child for child in self._places.ready if child.in_flight and child.seconds > _SLOW]
        for child in slow:
            if len(child.in_flight) > 1:
                child.take_back()
        if len(slow) >= self._size:
            for entry in self._line:
                if entry.is_ahead:
                    entry.settle(Requeue())
        self._dispatch_soon()

    async def _serve(self, child: WarmChild) -> None:
        """Carry what a child sends, until it ends."""
        try:
            while True:
                for frame in await child.receive():
                    await self._take(child, frame)
        except EOFError:
            pass
        except Exception:
            _log.exception("what child process %d sends cannot be read: it is killed", child.pid)
            child.kill()
        await self._lose(child)

    async def _take(self, child: WarmChild, frame: FromChild) -> None:
        match frame:
            case Call():
                await child.answer(frame)
            case Withdrawn():
                self._put_back(child.withdrawn(frame.count))
            case Ready():
                pass
            case end:
                entry = child.ended_first()
                if entry.began is not None:
                    self._pace.note(perf_counter() - entry.began)
                entry.settle(end)
                if child.in_flight:
                    self._begin(child)
                elif not child.keeps_place:
                    self._places.discard(child)
                if self._line:
                    self._dispatch_soon()

    async def _lose(self, child: WarmChild) -> None:
        """Fail the job that a dead child ran, and give those behind it to others."""
        entries = list(child.in_flight)
        child.in_flight.clear()
        if not entries:
            # One that died idle is found and replaced when the next job comes.
            return
        self._places.lose(child)
        victim = child.killed_for or entries[0]
        self._put_back([entry for entry in entries if entry is not victim])
        death = await child.death(f"the child process of job {victim.task.id}")
        self._places.forget(child)
        if not victim.end.done():
            _log.warning(
                "%s lost its child process (pid %d): %s",
                about(victim.task),
                child.pid,
                death.cause,
                extra=about_job(victim.task, error="WorkerProcessDied"),
            )
        victim.settle(death)

    def _put_back(self, entries: list[Entry]) -> None:
        """Let jobs that have not begun wait in front of the line again."""
        for entry in reversed(entries):
            entry.leave()
            if self._places.is_open:
                self._line.appendleft(entry)
            else:
                entry.settle(_not_open())
        self._dispatch_soon()


def _not_open() -> StockyardError:
    return StockyardError("the process pool is not open: await start() before run(), and aclose() after the last")

"""The parent's hold on one child process: starts it, gives it tasks, sees it end."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import multiprocessing.process
import os
import select
import signal
import socket
from collections import deque
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from time import perf_counter

from stockyard._logging import chosen_logging
from stockyard.consume.executors import calls, child
from stockyard.consume.executors.child_pipe import ChildPipe
from stockyard.consume.executors.entry import Entry
from stockyard.consume.executors.frames import Call, FrameReader, FromChild, Raised, ToChild, Withdraw, encode
from stockyard.consume.executors.not_started import ChildNotStarted
from stockyard.errors import StockyardError, WorkerProcessDied

_READY_WITHIN = 60.0
"""Seconds for a new child to import the main module and the handlers."""

_DRAIN = 1.0
"""Seconds to read what a dead child had sent, should something it forked keep the pipe open."""

_FORKSERVER_LOST = 255
"""What multiprocessing says when the fork server died, and the exit code is lost."""

_IMPORTED_BY_HANDLERS = "stockyard.app"
"""What modules of handlers import with the App that they declare: loaded once by the fork server, not by each
child, which would take ten children ten times as long and as much memory."""

_FROM_OUTSIDE = ("SIGKILL", "SIGTERM")
"""Signals that no failing program sends itself: memory is short, or an operator sent them."""


_MOST_BYTES = 262_144
"""Bytes of payloads in the pipe of one child, but for a single larger one."""


class WarmChild:
    """One child process; it runs one task at a time, and may have others behind that one in its pipe.

    Attributes:
        pid: its process id.
        runs: how many tasks it was given, and did not give back.
        in_flight: the jobs that it has, the one that runs first.
        keeps_place: whether another child is to take its place when it ends.
        killed_for: the job for whose sake the parent killed it; or None.
        ended: set to the exit code once it is gone, minus the signal's number if one ended it.
        kill_reason: why the parent killed it, for the message; or None.
    """

    def __init__(self, process: BaseProcess, pid: int, pipe: ChildPipe) -> None:
        loop = asyncio.get_running_loop()
        self.pid = pid
        self.runs: int = 0
        self.in_flight: deque[Entry] = deque()
        self.keeps_place: bool = True
        self.killed_for: Entry | None = None
        self.kill_reason: str | None = None
        self.ended: asyncio.Future[int] = loop.create_future()
        self._process = process
        self._pipe = pipe
        self._frames = FrameReader()
        self._bytes = 0
        self._unsent: list[bytes] = []
        self._is_asked_back = False
        self._answering: asyncio.Task[None] | None = None
        self._poll = select.poll()
        self._poll.register(pipe.descriptor, select.POLLIN)
        loop.add_reader(process.sentinel, self._on_end, process.sentinel)

    @classmethod
    async def start(cls, *, known: tuple[str, ...]) -> WarmChild:
        """Start a child that imports the ``known`` handlers; ``ready`` says when it has.

        Raises:
            OSError, EOFError: the system or the fork server gives no process.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process, pid = await asyncio.to_thread(_forked, theirs, known)
            except BaseException:
                ours.close()
                raise
        return cls(process, pid, await ChildPipe.open(ours))

    async def ready(self) -> None:
        """Wait until it takes tasks.

        Raises:
            ChildNotStarted: the machine killed it before, or it took too long and was killed.
            WorkerProcessDied: it ended before by itself: the program fails when it is imported.
        """
        try:
            async with asyncio.timeout(_READY_WITHIN):
                await self.receive()
        except TimeoutError:
            self.kill(f"it was not ready within {_READY_WITHIN:g} s")
            raise ChildNotStarted(str(await self.death("a new child process"))) from None
        except EOFError:
            death = await self.death("a new child process")
            if death.signal in _FROM_OUTSIDE or death.exit_code == _FORKSERVER_LOST:
                raise ChildNotStarted(str(death)) from None
            raise WorkerProcessDied(
                f"{death}; its own output says why. A script that is run needs `if __name__ == '__main__':` "
                "around what it does, because each child imports it",
                exit_code=death.exit_code,
                signal=death.signal,
                cause=death.cause,
            ) from None

    def takes(self, entry: Entry, depth: int) -> bool:
        """Say whether it may be given another job, of so many at a time."""
        if not self.in_flight:
            return True
        return len(self.in_flight) < depth and self._bytes + len(entry.task.data) <= _MOST_BYTES

    def add(self, entry: Entry) -> None:
        """Let it have a job; ``send`` sends it."""
        self.runs += 1
        self._bytes += len(entry.task.data)
        entry.left.clear()
        self.in_flight.append(entry)
        self._unsent.append(encode(entry.task))

    def send(self) -> None:
        """Send the jobs that were added, in one write; those behind the first wait for it in the pipe."""
        unsent, self._unsent = self._unsent, []
        self._pipe.write(b"".join(unsent))

    @property
    def seconds(self) -> float:
        """For how long its first job has run."""
        began = self.in_flight[0].began
        return 0.0 if began is None else perf_counter() - began

    def take_back(self) -> None:
        """Ask for the jobs that it has not begun; ``Withdrawn`` says how many these are."""
        if not self._is_asked_back:
            self._is_asked_back = True
            self._pipe.write(encode(Withdraw()))

    def withdrawn(self, count: int) -> list[Entry]:
        """Return the jobs that it gave back, in their order."""
        self._is_asked_back = False
        self.runs -= count
        entries = [self.in_flight.pop() for _ in range(count)][::-1]
        self._bytes -= sum(len(entry.task.data) for entry in entries)
        return entries

    def ended_first(self) -> Entry:
        """Remove the job that has run, and return it."""
        entry = self.in_flight.popleft()
        self._bytes -= len(entry.task.data)
        return entry

    async def receive(self) -> list[FromChild]:
        """Return what it sends next.

        Raises:
            EOFError: it has ended.
        """
        while not (frames := self._frames.feed(received := await self._pipe.receive())):
            if not received:
                raise EOFError
        return frames

    async def answer(self, call: Call) -> None:
        """Do what the handler that runs asks for, and send the answer; broken off when the child is killed."""
        entry = self.in_flight[0]
        self._answering = asyncio.get_running_loop().create_task(self._answer(call, entry), context=entry.context)
        await asyncio.wait([self._answering])
        if not self._answering.cancelled():
            self._answering.result()

    @property
    def gone(self) -> bool:
        """Whether an idle child has ended, even if the loop does not know it yet: it says nothing else unasked."""
        return self.ended.done() or bool(self._poll.poll(0))

    def kill(self, kill_reason: str | None = None, *, for_job: Entry | None = None) -> None:
        """End it now, and what its handler started, by SIGKILL.

        Args:
            kill_reason: why, for the message of the job that runs. Defaults to how it ended.
            for_job: the job whose end this is: no other fails with it. Defaults to the one that runs.
        """
        if self.ended.done():
            return
        self.kill_reason = self.kill_reason or kill_reason
        self.killed_for = self.killed_for or for_job
        if self._answering is not None:
            self._answering.cancel()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # It is so young that it has no group of its own yet, or it is just gone.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def close(self, grace: float) -> int:
        """Let it go, kill it after ``grace`` seconds, free what belongs to it; return its exit code."""
        self._pipe.close()
        await asyncio.wait([self.ended], timeout=grace)
        self.kill()
        return await asyncio.shield(self.ended)

    async def _answer(self, call: Call, entry: Entry) -> None:
        try:
            answer: ToChild = await calls.perform(call, entry.port)
        except Exception as error:
            answer = Raised.of(error)
        self._pipe.write(encode(answer))
        await self._pipe.drain()

    async def death(self, who: str) -> WorkerProcessDied:
        """Wait until it has ended, and return the error of the job that it ran.

        Args:
            who: it, in the message.
        """
        code = await self.close(grace=1.0)
        name = _signal_name(-code) if code < 0 else None
        cause = self.kill_reason or cause_of(code)
        return WorkerProcessDied(
            f"{who} died: {cause}", exit_code=None if name else code, signal=name, cause=cause
        )

    def _on_end(self, sentinel: int) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(sentinel)
        code = self._process.exitcode
        assert code is not None
        if code == _FORKSERVER_LOST:
            self.kill()
        self._process.close()
        self.ended.set_result(code)
        if not self._pipe.is_closed:
            loop.call_later(_DRAIN, self._pipe.close)


def cause_of(code: int) -> str:
    """Say how a process ended whose exit code this is, minus the signal's number if one ended it."""
    return f"killed by {_signal_name(-code)}" if code < 0 else f"exit code {code}"


def refuse_in_child() -> None:
    """Refuse to start children while this process itself imports its main module as a child.

    Raises:
        StockyardError: the main module lacks its guard.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise StockyardError(
            "a child process imports the main module to find its handlers, and must not start a worker: "
            "put what the script does under `if __name__ == '__main__':`"
        )


def _forked(pipe: socket.socket, known: tuple[str, ...]) -> tuple[BaseProcess, int]:
    context: ForkServerContext = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([child.__name__, _IMPORTED_BY_HANDLERS])
    process = context.Process(target=child.main, args=(pipe, known, chosen_logging()), name="stockyard-child")
    process.start()
    assert process.pid is not None
    # multiprocessing polls all it knows whenever any thread starts a process, which would take the exit code from
    # under us, and at exit it joins them; ours see the end of the parent by themselves.
    multiprocessing.process._children.discard(process)  # type: ignore[attr-defined]
    return process, process.pid


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

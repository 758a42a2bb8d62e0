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
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess

from stockyard._logging import chosen_logging
from stockyard.consume.executors import calls, child
from stockyard.consume.executors.frames import (
    HEADER,
    Call,
    ChildTask,
    End,
    FromChild,
    Raised,
    Ready,
    Returned,
    Signalled,
    ToChild,
    encode,
    from_child,
)
from stockyard.consume.executors.not_started import ChildNotStarted
from stockyard.errors import StockyardError, WorkerProcessDied
from stockyard.model.job import JobPort

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


class WarmChild:
    """One child process; it runs one task at a time.

    Attributes:
        pid: its process id.
        runs: how many tasks it was given.
        ended: set to the exit code once it is gone, minus the signal's number if one ended it.
        kill_reason: why the parent killed it, for the message; or None.
    """

    def __init__(
        self, process: BaseProcess, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        self.pid = pid
        self.runs: int = 0
        self.kill_reason: str | None = None
        self.ended: asyncio.Future[int] = loop.create_future()
        self._process = process
        self._reader = reader
        self._writer = writer
        self._pipe = select.poll()
        self._pipe.register(writer.get_extra_info("socket").fileno(), select.POLLIN)
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
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        return cls(process, pid, reader, writer)

    async def ready(self) -> None:
        """Wait until it takes tasks.

        Raises:
            ChildNotStarted: the machine killed it before, or it took too long and was killed.
            WorkerProcessDied: it ended before by itself: the program fails when it is imported.
        """
        try:
            async with asyncio.timeout(_READY_WITHIN):
                await self._receive()
        except TimeoutError:
            self.kill(f"it was not ready within {_READY_WITHIN:g} s")
            raise ChildNotStarted(str(await self._death("a new child process"))) from None
        except (EOFError, ConnectionError):
            death = await self._death("a new child process")
            if death.signal in _FROM_OUTSIDE or death.exit_code == _FORKSERVER_LOST:
                raise ChildNotStarted(str(death)) from None
            raise WorkerProcessDied(
                f"{death}; its own output says why. A script that is run needs `if __name__ == '__main__':` "
                "around what it does, because each child imports it",
                exit_code=death.exit_code,
                signal=death.signal,
                cause=death.cause,
            ) from None

    async def perform(self, task: ChildTask, *, port: JobPort) -> End:
        """Run a task, and carry what it asks to ``port``; return how the handler ended.

        Raises:
            WorkerProcessDied: the child ended first.
        """
        self.runs += 1
        try:
            await self._send(task)
            while True:
                match await self._receive():
                    case Call() as call:
                        await self._answer(call, port)
                    case Returned() | Signalled() | Raised() as end:
                        return end
                    case Ready():
                        pass
        except (EOFError, ConnectionError):
            raise await self._death(f"the child process of job {task.id}") from None

    @property
    def gone(self) -> bool:
        """Whether an idle child has ended, even if the loop does not know it yet: it says nothing else unasked."""
        return self.ended.done() or bool(self._pipe.poll(0))

    def kill(self, kill_reason: str | None = None) -> None:
        """End it now, and what its handler started, by SIGKILL."""
        if self.ended.done():
            return
        self.kill_reason = self.kill_reason or kill_reason
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # It is so young that it has no group of its own yet, or it is just gone.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def close(self, grace: float) -> int:
        """Let it go, kill it after ``grace`` seconds, free what belongs to it; return its exit code."""
        self._writer.close()
        await asyncio.wait([self.ended], timeout=grace)
        self.kill()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        return await asyncio.shield(self.ended)

    async def _answer(self, call: Call, port: JobPort) -> None:
        try:
            answer: ToChild = await calls.perform(call, port)
        except Exception as error:
            answer = Raised.of(error)
        await self._send(answer)

    async def _send(self, frame: ToChild) -> None:
        self._writer.write(encode(frame))
        await self._writer.drain()

    async def _receive(self) -> FromChild:
        (size,) = HEADER.unpack(await self._reader.readexactly(HEADER.size))
        return from_child.decode(await self._reader.readexactly(size))

    async def _death(self, who: str) -> WorkerProcessDied:
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
        if not self._writer.is_closing():
            loop.call_later(_DRAIN, self._writer.transport.abort)


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

"""A child process: runs the handlers of the tasks that its parent sends, one after another."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import inspect
import io
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial, reduce
from queue import Empty, SimpleQueue
from typing import Any

from stockyard import telemetry
from stockyard._logging import LogFormat, configure_logging, current_job
from stockyard.blocking import BlockingView
from stockyard.consume.executors.calls import call_of, result_of
from stockyard.consume.executors.frames import (
    HEADER,
    Answer,
    Call,
    ChildTask,
    End,
    FromChild,
    Raised,
    Ready,
    Returned,
    Signalled,
    ToChild,
    Withdraw,
    Withdrawn,
    encode,
    to_child,
)
from stockyard.consume.executors.results import CANCELLED_ITSELF, awaited, is_awaitable, result_text
from stockyard.errors import HandlerError, RunSignal, StockyardError
from stockyard.model.handler import Handler
from stockyard.model.job import Job
from stockyard.model.printing import printed

_LINGER = 5.0
"""Seconds that an idle child may spend on its exit handlers once the parent let it go."""


def main(pipe: socket.socket, known: tuple[str, ...], logs: tuple[LogFormat, int] | None) -> None:
    """Run tasks until the parent closes the pipe or dies.

    Args:
        pipe: the child's end of a socket pair.
        known: handlers to import before the first task comes.
        logs: how to write log lines, unless an import sets it up otherwise; None leaves it alone.
    """
    # A group of its own, so that what a handler started dies with it. The parent alone decides on Ctrl-C.
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a handler printed must not be lost with a killed child.
            stream.reconfigure(line_buffering=True)
    if logs is not None:
        configure_logging(*logs)
    handlers = _Handlers()
    for reference in known:
        with contextlib.suppress(HandlerError):
            handlers[reference]
    connection = _ParentConnection(pipe)
    # The parent may be gone whenever we write; the reading thread sees to it.
    with contextlib.suppress(ConnectionError), asyncio.Runner() as runner:
        connection.send(Ready())
        while (task := connection.tasks.get()) is not None:
            port = _ParentPort(connection, task.id)
            end = _run(task, handlers=handlers, port=port, runner=runner)
            connection.finish(port, end)


def _run(task: ChildTask, *, handlers: _Handlers, port: _ParentPort, runner: asyncio.Runner) -> End:
    # SystemExit passes: a handler that exits ends its process, and the parent reports the exit code.
    try:
        try:
            handler = handlers[task.handler]
            # What one job sets is not seen by the next.
            context = contextvars.copy_context()
            result = context.run(_called, handler, task, port)
            if is_awaitable(result):
                result = runner.run(awaited(result), context=context)
            return Returned(result_text(result, of=task.name, declared=handler.result))
        except RunSignal as signal:
            return Signalled.of(signal)
    except SystemExit:
        raise
    except asyncio.CancelledError:
        return Raised.of(StockyardError(CANCELLED_ITSELF))
    except BaseException as error:  # native extensions raise their panics as such
        return Raised.of(error)


def _called(handler: Handler, task: ChildTask, port: _ParentPort) -> Any:
    job = task.job(handler.decode(task.data), port=port)
    current_job.set(job)
    tracer = telemetry.tracer
    if tracer is not None and task.trace is not None:
        tracer.resume(task.trace)
    return handler.function(handler.argument(job))


class _Handlers(dict[str, Handler]):
    """Handlers by reference, imported when first asked for."""

    def __missing__(self, reference: str) -> Handler:
        module, _, path = reference.partition(":")
        try:
            function = reduce(getattr, path.split("."), importlib.import_module(module))
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            hint = (
                ": a prompt, a notebook or a package's __main__.py cannot be imported; move it into a module"
                if module == "__main__"
                else ""
            )
            raise HandlerError(
                f"a child process cannot import handler {reference!r}{hint} ({printed(error)})"
            ) from error
        self[reference] = handler = Handler.of(function, executor="process")
        return handler


class _ParentConnection:
    """The pipe to the parent. A thread reads it, so that the parent's end is seen while a handler computes."""

    def __init__(self, pipe: socket.socket) -> None:
        self.tasks: SimpleQueue[ChildTask | None] = SimpleQueue()
        self._pipe = pipe
        self._sending = threading.Lock()
        self._open_requests: deque[tuple[str, Future[Answer]]] = deque()
        # Each is counted by one thread: the one that reads, and the one that runs handlers.
        self._received = self._finished = 0
        threading.Thread(target=self._read, name="stockyard-parent", daemon=True).start()

    def send(self, frame: FromChild) -> None:
        with self._sending:
            self._pipe.sendall(encode(frame))

    def ask(self, port: _ParentPort, frame: Call) -> Future[Answer]:
        """Send a request of a job that still runs; the future is its answer."""
        answer: Future[Answer] = Future()
        # Its waiter may be cancelled, but the answer comes all the same and must find its place.
        answer.set_running_or_notify_cancel()
        text = encode(frame)
        with self._sending:
            if port.ended:
                raise StockyardError("the job has ended: nothing more can be asked of it")
            # Answers come in the order of the requests.
            self._open_requests.append((port.job_id, answer))
            self._pipe.sendall(text)
        return answer

    def finish(self, port: _ParentPort, end: End) -> None:
        """Send how the job ended; nothing of it may follow."""
        text = encode(end)
        with self._sending:
            port.ended = True
            self._finished += 1
            self._pipe.sendall(text)

    def _read(self) -> None:
        try:
            with contextlib.suppress(ConnectionError), self._pipe.makefile("rb") as stream:
                while len(header := stream.read(HEADER.size)) == HEADER.size:
                    (size,) = HEADER.unpack(header)
                    if len(body := stream.read(size)) == size:
                        self._take(to_child.decode(body))
        finally:
            self._take_back()
            self.tasks.put(None)
            if self._received == self._finished:
                time.sleep(_LINGER)
            os.killpg(0, signal.SIGKILL)

    def _take(self, frame: ToChild) -> None:
        match frame:
            case ChildTask():
                self._received += 1
                self.tasks.put(frame)
            case Withdraw():
                self.send(Withdrawn(self._take_back()))
            case Answer():
                self._open_requests.popleft()[1].set_result(frame)
            case Raised():
                job_id, answer = self._open_requests.popleft()
                answer.set_exception(frame.revived(job_id))

    def _take_back(self) -> int:
        """Remove the tasks that have not begun; return how many there were."""
        count = 0
        with contextlib.suppress(Empty):
            while True:
                self.tasks.get_nowait()
                count += 1
        self._received -= count
        return count


class _ParentPort:
    """What a job in a child can ask of its parent: the methods of ``JobPort``, one round trip each."""

    def __init__(self, connection: _ParentConnection, job_id: str) -> None:
        self.ended = False
        self.job_id = job_id
        self._connection = connection

    def __getattr__(self, method: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def ask(*args: Any, **options: Any) -> Any:
            answer = self._connection.ask(self, call_of(method, args, options))
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                # A plain def calls through job.sync: there is no loop to keep free.
                return result_of(method, answer.result())
            return result_of(method, await asyncio.wrap_future(answer))

        return ask

    def blocking(self, target: Job[Any]) -> _BlockingJob:
        return _BlockingJob(target)


class _BlockingJob(BlockingView):
    """``job.sync`` of a plain ``def``: the job, with methods that block."""

    def __init__(self, job: Job[Any]) -> None:
        self._job = job

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._job, name)
        return partial(_finished, found) if inspect.iscoroutinefunction(found) else found


def _finished(method: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **options: Any) -> Any:
    call = method(*args, **options)
    try:
        call.send(None)
    except StopIteration as end:
        return end.value
    call.close()
    raise StockyardError("job.sync is for a plain def; in an async def, await the job's own methods")

"""Forks programs from a process that has imported already what most of them need, for `tests.support.forked`.

A request is a line of JSON, sent with descriptors: of a pipe, by which the program's process id comes back at once
and its exit code when it has ended, and of its three streams and whatever else it inherits.
"""

import fcntl
import gc
import json
import multiprocessing  # noqa: F401
import os
import runpy
import select
import signal
import socket
import sys
import time
import warnings
from contextlib import suppress
from typing import Any

# What programs of the tests use of the package sooner or later.
import stockyard.app.runtime
import stockyard.cache.caches
import stockyard.cli.program
import stockyard.cli.worker
import stockyard.consume.worker
import stockyard.embedded.binary
import stockyard.events
import stockyard.leases.renewer_process
import stockyard.observe.doctor.preflight
import stockyard.produce.flows
import stockyard.pubsub.channels
import stockyard.schedule.schedules
import stockyard.testing.judgement
import stockyard.trading.queues  # noqa: F401

_MOST_DESCRIPTORS = 16
_BEYOND = 500
"""A number of descriptors that no process inherits here."""


class ForkServer:
    """Serves the process at the other end of a socket until that has closed it."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._answers: dict[int, int] = {}
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # Ctrl-C ends the tests, which close the socket.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def serve(self) -> dict[str, Any] | None:
        """Fork what is asked for; return the request in the child, and None in this process when all is over."""
        requests = self._requests.fileno()
        while True:
            ready, _, _ = select.select([requests, self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._report()
            if requests in ready:
                text, descriptors = self._receive()
                if not text:
                    return None
                answer, *inherited = descriptors
                if (child := os.fork()) == 0:
                    request: dict[str, Any] = json.loads(text)
                    self._leave(answer, dict(zip(inherited, request["descriptors"], strict=True)))
                    return request
                for descriptor in inherited:
                    os.close(descriptor)
                self._answers[child] = answer
                self._answer(answer, child)

    def _receive(self) -> tuple[bytes, list[int]]:
        text, descriptors, _, _ = socket.recv_fds(self._requests, 1 << 16, _MOST_DESCRIPTORS)
        while text and not text.endswith(b"\n"):
            text += self._requests.recv(1 << 16)
        return text, descriptors

    def _report(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                answer = self._answers.pop(ended[0])
                self._answer(answer, os.waitstatus_to_exitcode(ended[1]))
                os.close(answer)

    def _answer(self, answer: int, number: int) -> None:
        # Nobody reads any more of a program that a test has given up.
        with suppress(BrokenPipeError):
            os.write(answer, b"%d\n" % number)

    def _leave(self, answer: int, inherited: dict[int, int]) -> None:
        """Be as a process that was just started with these descriptors, each with the number that it has there."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Out of the way first: a number that one shall have may be that of another.
        moved = {fcntl.fcntl(own, fcntl.F_DUPFD, _BEYOND): number for own, number in inherited.items()}
        for descriptor in (answer, *inherited, *self._answers.values(), self._woken, self._wake):
            os.close(descriptor)
        self._requests.close()
        for own, number in moved.items():
            os.dup2(own, number)
            os.close(own)


def _run(request: dict[str, Any]) -> None:
    if request["starts_session"]:
        os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.path[:0] = [os.getcwd(), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    for action in request["warnings"]:
        sys.warnoptions.append(action)
        warnings.simplefilter(action)
    sys.argv[1:] = request["arguments"]
    if request["kind"] == "-m":
        runpy.run_module(request["program"], run_name="__main__", alter_sys=True)
    else:
        sys.argv[0] = "-c"
        exec(request["program"], {"__name__": "__main__"})


if __name__ == "__main__":
    # The folder of this file is no place to import from.
    del sys.path[0]
    # Else each child would copy all of them when it looks for garbage first.
    gc.freeze()
    if (asked := ForkServer(socket.socket(fileno=int(sys.argv[1]))).serve()) is not None:
        _run(asked)

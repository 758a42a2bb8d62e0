"""Modules that are run as `python -m` runs them, in processes that need not import first what most of them need.

Importing is most of the processor time of a program that a test starts, and hundreds are started. Where the start
itself is what a test is about, it takes `subprocess.Popen`.
"""

import atexit
import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, AnyStr

from tests.support.program import Program

_SERVER = Path(__file__).with_name("fork_server.py")


class Forked(Program[AnyStr]):
    """A `Program` of `[sys.executable, "-m", module, …]` or `-c`, without the time that its imports take.

    Of Python's own options it knows `-W`; of those of `Popen` all but the ones that prepare the process, as
    `preexec_fn` does.
    """

    def _execute_child(
        self,
        arguments: list[str],
        _executable: object,
        preparation: object,
        _closes: bool,
        inherited: Sequence[int],
        folder: Any,
        environment: dict[str, str] | None,
        _startup: object,
        _creation: object,
        is_shell: bool,
        *more: Any,
    ) -> None:
        pipes: Sequence[int] = more[:6]
        *_, starts_session, _ = more
        assert not preparation, "only a process of its own can be prepared"
        assert not is_shell, "a module is run without a shell"
        assert arguments[0] == sys.executable, arguments
        kind = next(number for number, argument in enumerate(arguments) if argument in ("-m", "-c"))
        request = {
            "kind": arguments[kind],
            "program": arguments[kind + 1],
            "arguments": arguments[kind + 2 :],
            "warnings": [option for option in arguments[1:kind] if option != "-W"],
            "descriptors": [0, 1, 2, *inherited],
            "folder": os.fspath(folder or Path.cwd()),
            "environment": dict(os.environ if environment is None else environment),
            "starts_session": starts_session,
        }
        # The child's ends; what is not given is the same as in this process.
        input_, _, _, output, _, errors = pipes
        streams: list[int] = [
            number if stream == -1 else stream for number, stream in enumerate((input_, output, errors))
        ]
        answer: int
        self._status: int
        self._status, answer = os.pipe()
        try:
            # One after the other: descriptors come with the text that they were sent with.
            with _lock:
                _server().send(request, [answer, *streams, *inherited])
                os.close(answer)
                self.pid = self._number()
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]
        self._child_created = True

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        self._has_ended(0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if not self._has_ended(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def _has_ended(self, within: float | None) -> bool:
        if self.returncode is None:
            poll = select.poll()
            poll.register(self._status, select.POLLIN)
            if not poll.poll(None if within is None else within * 1000):
                return False
            with _lock:
                if self.returncode is None:
                    self.returncode = self._number()
                    os.close(self._status)
        return True

    def _number(self) -> int:
        digits = b""
        while not digits.endswith(b"\n"):
            read = os.read(self._status, 1)
            assert read, "the fork server has ended"
            digits += read
        return int(digits)


class _Server:
    """The process that forks; it ends with this one."""

    def __init__(self) -> None:
        self._requests, other = socket.socketpair()
        # What a test has set is of its programs alone.
        environment = {name: text for name, text in os.environ.items() if "REDIS" not in name}
        environment = {name: text for name, text in environment.items() if not name.startswith("STOCKYARD")}
        with other:
            self._process = subprocess.Popen(
                [sys.executable, str(_SERVER), str(other.fileno())],
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
            )

    def send(self, request: dict[str, Any], descriptors: list[int]) -> None:
        text = json.dumps(request).encode() + b"\n"
        sent = socket.send_fds(self._requests, [text], descriptors)
        self._requests.sendall(text[sent:])

    def close(self) -> None:
        self._requests.close()
        self._process.wait()


@cache
def _server() -> _Server:
    server = _Server()
    atexit.register(server.close)
    return server


_lock = threading.Lock()

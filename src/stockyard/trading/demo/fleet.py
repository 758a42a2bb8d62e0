"""The worker processes of the demo: starts them, kills one, and stops them."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from stockyard.errors import StockyardError
from stockyard.trading.demo.worker_process import Assignment

_COMMAND = [sys.executable, "-m", "stockyard.trading.demo.worker_process"]
_STOP_SECONDS = 20.0


class Fleet:
    """Worker processes with one assignment, each with a name of its own.

    Args:
        assignment: of every process; its name begins theirs.
    """

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._started = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The processes that should be running."""
        return tuple(self._processes)

    def start(self) -> str:
        """Start one more process; return its name."""
        self._started += 1
        name = f"{self._assignment.name}-{self._started}"
        with self._log_of(name).open("wb") as log:
            # A session of its own: Ctrl-C reaches this process alone, which then stops the others in order.
            process = subprocess.Popen(  # noqa: S603 - this interpreter, on our own module
                _COMMAND, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        self._processes[name] = process
        text = msgspec.msgpack.encode(msgspec.structs.replace(self._assignment, name=name))
        assert process.stdin is not None
        process.stdin.write(len(text).to_bytes(4, "big") + text)
        process.stdin.flush()
        return name

    def freeze(self, name: str) -> None:
        """Stop a process where it is, until `thaw` or `kill`."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a frozen process go on."""
        self._processes[name].send_signal(signal.SIGCONT)

    def kill(self, name: str) -> None:
        """Kill a process with SIGKILL."""
        process = self._processes.pop(name)
        process.kill()
        process.communicate()

    def check(self) -> None:
        """Raise if a process ended by itself.

        Raises:
            StockyardError: with the end of its log.
        """
        for name, process in self._processes.items():
            if process.poll() is not None:
                status = process.returncode
                raise StockyardError(
                    f"worker process {name} ended with status {status}; its log ends:\n{self._tail(name)}"
                )

    def stop(self) -> dict[str, int]:
        """Ask every process to stop, and wait; return their exit statuses. One that cannot stop is killed."""
        for process in self._processes.values():
            process.terminate()
            process.send_signal(signal.SIGCONT)  # a frozen one would not hear it
        deadline = time.monotonic() + _STOP_SECONDS
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0.1))
            process.kill()
            process.communicate()
        ended, self._processes = self._processes, {}
        return {name: process.returncode for name, process in ended.items()}

    def _log_of(self, name: str) -> Path:
        return Path(self._assignment.folder) / f"{name}.log"

    def _tail(self, name: str) -> str:
        return self._log_of(name).read_text(errors="replace")[-2000:]

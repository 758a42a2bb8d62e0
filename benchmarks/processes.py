"""Runs one measured side as a process of its own, which answers in JSON lines."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent


class SideFailed(Exception):
    """A side ended without its answer; the message ends with what it wrote on its error output."""


class Side:
    """A running side; leaving the `with` block ends it and all that it started.

    Compiled files are written and read, as they are for users, whatever this process was told.

    Args:
        command: program and arguments.
        environment: variables laid over this process's own.
        folder: where it runs.
        timeout: seconds after which it is killed, so that no run lasts for ever.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path = ROOT,
        timeout: float = 300,
    ) -> None:
        self._cpu_before = _cpu_of_children()
        self._name = " ".join(Path(part).name for part in command[:3])
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed on leaving
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**_inherited(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )
        self._watchdog = threading.Timer(timeout, self._signal, [signal.SIGKILL])
        self._watchdog.start()

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    @property
    def session(self) -> int:
        """The session of its processes, which is the id of the first of them."""
        return self._process.pid

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all child processes of this one that ended since this side's start.

        That is the side's own, with its children, once it has ended and where no other ran beside it.
        """
        return _cpu_of_children() - self._cpu_before

    def answer(self) -> dict[str, Any]:
        """Wait for the next JSON line; other lines are passed over."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        self._process.wait()
        raise self.failure("gave no answer")

    def end(self) -> None:
        """Wait until the process has ended by itself, and well."""
        if self._process.wait():
            raise self.failure("failed")

    def failure(self, what: str) -> SideFailed:
        """An error that quotes the end of what the process complained of."""
        self._errors.seek(0)
        complaint = self._errors.read().strip().splitlines()[-12:]
        return SideFailed("\n".join([f"{self._name} {what} (exit {self._process.poll()})", *complaint]))

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watchdog.cancel()
        # The whole group, even when its leader has ended: a peer's command may leave worker processes behind.
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self._signal(signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

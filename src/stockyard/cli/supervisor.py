"""Keeps several copies of one command running: starts them again when they die, and passes on the stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
import uuid
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from stockyard._aio.stop_signals import stop_signals

_log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_HEALTHY_AFTER = 10.0
RELOAD = 3
"""Exit status of a process that asks to be started again at once, with its source as it is now."""

_REMEMBERED = 16
"""Dead processes whose jobs the next one hands back."""


class Greeting(msgspec.Struct):
    """What a process reads first; unlike arguments, nobody else sees it.

    Attributes:
        settings: URL of the server and prefix of the keys, or None for each that was not given.
        identity: begins the tokens of its workers' jobs.
        dead: identities of processes that died: it hands their jobs back, without waiting for their leases.
    """

    settings: tuple[str | None, str | None]
    identity: str
    dead: tuple[str, ...]


class Supervisor:
    """Processes that work side by side.

    Each has a session of its own, so that Ctrl-C reaches it through here and not twice, and a pipe from here
    as its standard input: it brings a greeting, and its end says that nobody watches over it any more.

    Args:
        commands: what each runs.
        settings: of each; see ``Greeting``.
        refusal: exit status that means "started again, it would end the same way"; None for none.
    """

    def __init__(
        self, commands: Sequence[Sequence[str]], *, settings: tuple[str | None, str | None], refusal: int | None
    ) -> None:
        self._commands = commands
        self._settings = settings
        self._dead: deque[str] = deque(maxlen=_REMEMBERED)
        self._refusal = refusal
        self._children: set[Process] = set()
        self._stop = asyncio.Event()
        self._status = 0

    async def run(self) -> int:
        """Work until the process is asked to stop, and every child has ended; return the exit status.

        The first SIGTERM or SIGINT asks the children to stop, the second to stop at once.
        """
        with stop_signals(self._ask_to_stop):
            async with asyncio.TaskGroup() as group:
                for number, command in enumerate(self._commands, 1):
                    group.create_task(self._keep(number, command), name=f"worker process {number}")
        return self._status

    async def _keep(self, number: int, command: Sequence[str]) -> None:
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            began = time.monotonic()
            status = await self._run_one(command)
            if self._stop.is_set():
                return
            if status == RELOAD:
                pause = _FIRST_PAUSE
                continue
            if status == self._refusal:
                self._status = status
                self._ask_to_stop()
                return
            if time.monotonic() - began > _HEALTHY_AFTER:
                pause = _FIRST_PAUSE
            _log.warning("worker process %d ended (%s); starting another", number, _described(status))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _run_one(self, command: Sequence[str]) -> int:
        child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, start_new_session=True)
        assert child.stdin is not None
        identity = uuid.uuid4().hex
        child.stdin.write(msgspec.json.encode(Greeting(self._settings, identity, tuple(self._dead))) + b"\n")
        self._children.add(child)
        try:
            if self._stop.is_set():
                child.terminate()
            status = await child.wait()
            if status not in (0, RELOAD):
                # What it left behind, its lease child above all, must not keep its jobs.
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                self._dead.append(identity)
            return status
        finally:
            self._children.discard(child)

    def _ask_to_stop(self) -> None:
        self._stop.set()
        for child in self._children:
            with suppress(ProcessLookupError):
                child.terminate()


def _described(status: int) -> str:
    return f"status {status}" if status >= 0 else signal.Signals(-status).name

"""Gives this process its share of an embedded server, starting it for the first user."""

import fcntl
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from stockyard.embedded import guardian, probe
from stockyard.embedded.allocator import ServerBuild, build_of
from stockyard.embedded.binary import find_server
from stockyard.embedded.folder import Folder
from stockyard.errors import EmbeddedServerError

_POLL = 0.01
_STOP_TIMEOUT = 10.0
_LATENCY_TRACKING = 7  # the major version that brought the directive; an older server refuses to start on it

_log = logging.getLogger(__name__)


class EmbeddedServer:
    """One user's share of an embedded server; the server stops after its last user.

    The share is a kernel lock: it ends with `release`, or with the process however that ends. A child that
    `fork` made inherits it and keeps the server running for as long as it lives.
    """

    def __init__(self, folder: Folder, share: int, *, wait_for_stop: bool) -> None:
        self._folder = folder
        self._share: int | None = share
        self._wait_for_stop = wait_for_stop

    @property
    def url(self) -> str:
        """The server's URL for a Redis client: `unix:///.../valkey.sock`."""
        return self._folder.url

    @property
    def data(self) -> Path:
        """The folder that holds the server's data, log and locks."""
        return self._folder.path

    def release(self) -> None:
        """Give up the share; doing so twice is fine. An `ephemeral` server is gone when this returns."""
        if self._share is None:
            return
        # Closed, not unlocked: unlocking would take the share away from forked children too.
        os.close(self._share)
        self._share = None
        if self._wait_for_stop:
            await_stop(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def acquire(data: Path | None = None, *, timeout: float = 10.0) -> EmbeddedServer:
    """Use the embedded server of a data folder, starting it if it does not run; blocks until it answers.

    Args:
        data: The folder; created when missing. Defaults to the one of this user's project, under
            `$XDG_DATA_HOME/stockyard/projects`, that is `~/.local/share/stockyard/projects`.
        timeout: Seconds to wait for the server. Defaults to 10.

    Raises:
        EmbeddedServerError: no server program, no usable folder, or no answer in time; the message quotes
            the server's log.
    """
    return _acquire(Folder.at(data), timeout=timeout, appendonly=True, delete=False)


def ephemeral(*, appendonly: bool = True, timeout: float = 10.0) -> EmbeddedServer:
    """Start an embedded server in a fresh temporary folder that is deleted with its last user.

    Args:
        appendonly: Whether the server keeps its append-only file. Defaults to True.
        timeout: Seconds to wait for the server. Defaults to 10.

    Raises:
        EmbeddedServerError: no server program, or no answer in time.
    """
    folder = Folder.at(Path(tempfile.mkdtemp(prefix="stockyard-")))
    try:
        return _acquire(folder, timeout=timeout, appendonly=appendonly, delete=True)
    except EmbeddedServerError:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise


def await_stop(folder: Folder) -> None:
    """Wait, at most ten seconds, until the folder's server has stopped."""
    deadline = time.monotonic() + _STOP_TIMEOUT
    while folder.is_guarded and time.monotonic() < deadline:
        time.sleep(_POLL)


def _acquire(folder: Folder, *, timeout: float, appendonly: bool, delete: bool) -> EmbeddedServer:
    deadline = time.monotonic() + timeout
    folder.prepare()
    share = folder.open_lock(folder.users_lock)
    try:
        _take(share, fcntl.LOCK_SH, deadline, folder)
        with _turn_to_start(folder, deadline):
            if not folder.is_guarded:
                _launch_guardian(folder, appendonly=appendonly, delete=delete)
        _await_answer(folder, deadline, timeout)
    except BaseException:
        os.close(share)
        raise
    return EmbeddedServer(folder, share, wait_for_stop=delete)


@contextmanager
def _turn_to_start(folder: Folder, deadline: float) -> Iterator[None]:
    turn = folder.open_lock(folder.start_lock)
    try:
        _take(turn, fcntl.LOCK_EX, deadline, folder)
        yield
    finally:
        os.close(turn)


def _take(lock: int, operation: int, deadline: float, folder: Folder) -> None:
    while not guardian.try_lock(lock, operation):
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"the embedded server of {folder.path} was still stopping or starting when the time was up; "
                f"its log ends:\n{folder.log_tail()}"
            )
        time.sleep(_POLL)


def _launch_guardian(folder: Folder, *, appendonly: bool, delete: bool) -> None:
    program = find_server()
    build = build_of(program)
    _log.debug("starting %s for %s, allocator %s", program, folder.path, build.preload or build.allocator)
    launched = subprocess.run(  # noqa: S603 - this interpreter, on our own file
        [
            sys.executable,
            "-IS",
            guardian.__file__,
            str(folder.path),
            "delete" if delete else "keep",
            build.preload or "",
            str(program),
            *_options(folder, build, appendonly=appendonly),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        check=False,
    )
    if launched.returncode:
        raise EmbeddedServerError(
            f"the guardian of {folder.path} could not be started by {sys.executable}: "
            f"{launched.stderr.decode(errors='replace').strip()}"
        )


def _options(folder: Folder, build: ServerBuild, *, appendonly: bool) -> list[str]:
    options = {
        "dir": str(folder.path),
        "port": "0",
        "unixsocket": str(folder.socket),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "yes" if appendonly else "no",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
    }
    if build.major >= _LATENCY_TRACKING:
        # A histogram for each command, kept on each call and read by nobody here.
        options["latency-tracking"] = "no"
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def _await_answer(folder: Folder, deadline: float, timeout: float) -> None:
    while not probe.answers(folder.socket, within=max(deadline - time.monotonic(), _POLL)):
        if not folder.is_guarded:
            raise EmbeddedServerError(
                f"the embedded server of {folder.path} refused to start; its log ends:\n{folder.log_tail()}"
            )
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"the embedded server of {folder.path} did not answer within {timeout:g} s: if it is still "
                f"loading its data, allow a longer timeout; its log ends:\n{folder.log_tail()}"
            )
        time.sleep(_POLL)

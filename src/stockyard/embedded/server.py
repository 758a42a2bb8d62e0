"""Gives this process its share of an embedded server, starting it for the first user."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from stockyard.config import Address, Settings
from stockyard.embedded import guardian, probe, readiness
from stockyard.embedded.folder import Folder
from stockyard.embedded.launch import launch_guardian
from stockyard.embedded.layout import Layout, SetShape
from stockyard.embedded.set_folder import NODES, forget_ready, layout_for, mark_ready, was_ready
from stockyard.errors import EmbeddedServerError

_POLL, _SET_POLL = 0.01, 0.05
_MEMBER_TIMEOUT = 1.0
_STOP_TIMEOUT = 10.0
_SERVER_TIMEOUT, _SET_TIMEOUT = 10.0, 30.0


class EmbeddedServer:
    """One user's share of an embedded server; the server stops after its last user.

    The share is a kernel lock: it ends with `release`, or with the process however that ends. A child that
    `fork` made inherits it and keeps the server running for as long as it lives.
    """

    def __init__(self, folder: Folder, share: int, *, url: str, wait_for_stop: bool) -> None:
        self._folder = folder
        self._url = url
        self._share: int | None = share
        self._wait_for_stop = wait_for_stop

    @property
    def url(self) -> str:
        """The URL for clients: `unix:///.../valkey.sock`; of a set, `redis+sentinel://…` or `redis+cluster://…`."""
        return self._url

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


def acquire(
    data: Path | None = None, *, shape: SetShape | None = None, timeout: float | None = None
) -> EmbeddedServer:
    """Use the embedded server of a data folder, starting it if it does not run; blocks until it answers.

    Args:
        data: The folder; created when missing. Defaults to the one of this user's project, under
            `$XDG_DATA_HOME/stockyard/projects`, that is `~/.local/share/stockyard/projects`.
        shape: Of the Sentinel set or cluster to start instead; ready when all members agree. Defaults to one
            server.
        timeout: Seconds to wait. Defaults to 10, and to 30 for a set.

    Raises:
        EmbeddedServerError: no server program, no usable folder, or no answer in time; the message quotes
            the server's log.
    """
    return _acquire(Folder.at(data, shape.kind if shape else ""), shape, timeout, appendonly=True, delete=False)


def acquire_address(address: Address) -> tuple[EmbeddedServer, Address]:
    """Use the server or set that an ``embedded`` address names; return the share, and the address of what runs."""
    path = Path(address.path) if address.path else None
    server = acquire(path, shape=SetShape.of(address))
    running = Settings.load(server.url, environ={}, dotenv=None).address
    return server, running._replace(database=address.database)


def ephemeral(
    *, shape: SetShape | None = None, appendonly: bool = True, timeout: float | None = None
) -> EmbeddedServer:
    """Start an embedded server in a fresh temporary folder that is deleted with its last user.

    Args:
        shape: Of the Sentinel set or cluster to start instead. Defaults to one server.
        appendonly: Whether servers keep their append-only files. Defaults to True.
        timeout: Seconds to wait. Defaults to 10, and to 30 for a set.

    Raises:
        EmbeddedServerError: no server program, or no answer in time.
    """
    folder = Folder.at(Path(tempfile.mkdtemp(prefix="stockyard-")))
    try:
        return _acquire(folder, shape, timeout, appendonly=appendonly, delete=True)
    except EmbeddedServerError:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise


def await_stop(folder: Folder) -> None:
    """Wait, at most ten seconds, until the folder's server has stopped."""
    deadline = time.monotonic() + _STOP_TIMEOUT
    while folder.is_guarded and time.monotonic() < deadline:
        time.sleep(_POLL)


def _acquire(
    folder: Folder, shape: SetShape | None, timeout: float | None, *, appendonly: bool, delete: bool
) -> EmbeddedServer:
    seconds = timeout if timeout is not None else _SET_TIMEOUT if shape else _SERVER_TIMEOUT
    deadline = time.monotonic() + seconds
    folder.prepare()
    share = folder.open_lock(folder.users_lock)
    try:
        _take(share, fcntl.LOCK_SH, deadline, folder)
        with _turn_to_start(folder, deadline):
            layout = layout_for(folder, shape)
            if not folder.is_guarded:
                forget_ready(folder)
                launch_guardian(folder, layout, appendonly=appendonly, delete=delete)
        if layout is None:
            _await_answer(folder, deadline, seconds)
        elif not was_ready(folder):
            # Once it was, a failover is for the clients to follow, not for those who join.
            _await_set(folder, layout, deadline, seconds)
    except BaseException:
        os.close(share)
        raise
    url = folder.url if layout is None else layout.url
    return EmbeddedServer(folder, share, url=url, wait_for_stop=delete)


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


def _await_answer(folder: Folder, deadline: float, timeout: float) -> None:
    while not probe.answers(folder.socket, within=max(deadline - time.monotonic(), _POLL)):
        _refuse_unguarded(folder)
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"the embedded server of {folder.path} did not answer within {timeout:g} s: if it is still "
                f"loading its data, allow a longer timeout; its log ends:\n{folder.log_tail()}"
            )
        time.sleep(_POLL)


def _await_set(folder: Folder, layout: Layout, deadline: float, timeout: float) -> None:
    while lack := readiness.missing(layout, within=_MEMBER_TIMEOUT):
        _refuse_unguarded(folder)
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"the embedded set of {folder.path} was not ready within {timeout:g} s: {lack}; the logs of its "
                f"members are in {folder.path / NODES}"
            )
        time.sleep(_SET_POLL)
    mark_ready(folder)


def _refuse_unguarded(folder: Folder) -> None:
    if not folder.is_guarded:
        raise EmbeddedServerError(
            f"the embedded server of {folder.path} refused to start; its log ends:\n{folder.log_tail()}"
        )

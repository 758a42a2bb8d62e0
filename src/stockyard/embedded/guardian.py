"""Keeps one server process running for as long as a process uses its data folder.

It runs by its path in an isolated interpreter, so it costs a bare Python, never imports the application, and
needs nothing but the standard library. Its users send it nothing: they hold shared kernel locks, which vanish
with them however they end.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

USERS_LOCK = "locks/users"  # shared: one per user; exclusive: the guardian that saw the last user go
START_LOCK = "locks/start"  # exclusive: the one user that looks for a guardian and may launch it
GUARDIAN_LOCK = "locks/guardian"  # exclusive: the guardian
SERVER_LOCK = "locks/server"  # exclusive: the server itself, by an inherited descriptor; holds its pid
PIN_MARK = "pinned"
LOG = "server.log"

_PIN_POLL = 0.1
_RESTART_PAUSE = 0.05
_RESTART_PAUSE_LIMIT = 5.0
_ORPHAN_GRACE = 10.0
_PR_SET_PDEATHSIG = 1


def open_lock(path: Path) -> int:
    """Open a lock file, creating it; the descriptor does not reach programs that are started later.

    Raises:
        OSError: a symbolic link, or a file of another user, is in its place.
    """
    return open_own(path, os.O_RDWR)


def open_own(path: Path, flags: int) -> int:
    """Open a file of this user, creating it; what others have put in its place is refused."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise PermissionError(errno.EPERM, "not a plain file of this user", str(path))
    return descriptor


def try_lock(descriptor: int, operation: int) -> bool:
    """Take `LOCK_SH` or `LOCK_EX` if that needs no waiting, and say whether it is held now."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Say whether a process holds this lock exclusively."""
    try:
        descriptor = open_lock(path)
    except FileNotFoundError:
        return False
    try:
        return not try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


class Guardian:
    """Starts the server, restarts it when it was killed, stops it after its last user."""

    def __init__(self, data: Path, command: Sequence[str], preload: str) -> None:
        self._data = data
        self._command = command
        # For the server alone: neither this process nor any that it leaves behind runs on another allocator.
        self._environment = {**os.environ, "LD_PRELOAD": preload} if preload else None
        self._server: subprocess.Popen[bytes] | None = None
        self._stopping = False
        # Loaded here: between fork and exec is no place to import or to open libraries.
        self._prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def run(self) -> int:
        """Guard until the last user is gone, and return an exit status."""
        signal.signal(signal.SIGTERM, self._stop)
        threading.Thread(target=self._await_last_user, daemon=True).start()
        pause = _RESTART_PAUSE
        while not self._stopping:
            started = time.monotonic()
            self._server = self._start_server()
            if self._stopping:  # the signal came before there was a server to stop
                self._server.terminate()
            status = self._server.wait()
            if status > 0 and not self._stopping:
                # It refused by itself (its data, its options, a full disk) and would refuse again.
                return status
            pause = _RESTART_PAUSE if time.monotonic() - started > _RESTART_PAUSE_LIMIT else pause * 2
            if not self._stopping:
                time.sleep(min(pause, _RESTART_PAUSE_LIMIT))
        return 0

    def _start_server(self) -> subprocess.Popen[bytes]:
        lock = open_lock(self._data / SERVER_LOCK)
        self._evict_orphan(lock)

        def mark_and_bind() -> None:
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            if self._prctl is not None:
                self._prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

        try:
            return subprocess.Popen(  # noqa: S603 - the program that find_server chose
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=(lock,),
                preexec_fn=mark_and_bind,
            )
        finally:
            os.close(lock)

    def _evict_orphan(self, lock: int) -> None:
        """Stop a server that outlived its guardian: two servers on one data folder would destroy it."""
        deadline = time.monotonic() + _ORPHAN_GRACE
        polite = True
        while not try_lock(lock, fcntl.LOCK_EX):
            pid = int(os.pread(lock, 20, 0) or 0)
            late = time.monotonic() > deadline
            if pid and (polite or late):
                polite = False
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            time.sleep(0.02)

    def _await_last_user(self) -> None:
        users = open_lock(self._data / USERS_LOCK)
        pin = self._data / PIN_MARK
        while True:
            while pin.exists():
                time.sleep(_PIN_POLL)
            fcntl.flock(users, fcntl.LOCK_EX)
            if not pin.exists():
                break
            fcntl.flock(users, fcntl.LOCK_UN)
        # The lock stays ours to the end of this process: a new user waits until the server has stopped.
        os.kill(os.getpid(), signal.SIGTERM)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True
        if self._server is not None:
            self._server.terminate()


def main(arguments: Sequence[str]) -> int:
    """Become the guardian: `DATA keep|delete PRELOAD COMMAND...`; the calling process returns once it guards."""
    data, after, preload, command = Path(arguments[0]), arguments[1], arguments[2], arguments[3:]
    os.umask(0o077)
    os.chdir(data)
    guard = open_lock(data / GUARDIAN_LOCK)
    fcntl.flock(guard, fcntl.LOCK_EX)
    if os.fork():
        os._exit(0)
    log = open_own(data / LOG, os.O_WRONLY | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    status = Guardian(data, command, preload).run()
    if after == "delete" and not status:  # the log of a refusal is for the user to read
        shutil.rmtree(data, ignore_errors=True)
    # Released before the users' lock, which ends with this process: whoever comes next finds no guardian.
    os.close(guard)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

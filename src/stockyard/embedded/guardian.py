"""Keeps the server processes of a data folder running for as long as a process uses it.

It runs by its path in an isolated interpreter, so it costs a bare Python, never imports the application, and
needs nothing but the standard library. Its users send it nothing: they hold shared kernel locks, which vanish
with them however they end.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
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
from typing import TypedDict

USERS_LOCK = "locks/users"  # shared: one per user; exclusive: the guardian that saw the last user go
START_LOCK = "locks/start"  # exclusive: the one user that looks for a guardian and may launch it
GUARDIAN_LOCK = "locks/guardian"  # exclusive: the guardian
SERVER_LOCK = "locks/server"  # exclusive: the server itself, by an inherited descriptor; holds its pid
MEMBER_LOCK = "locks/{}"  # the same for a member of a set
PIN_MARK = "pinned"
LOG = "server.log"

_PIN_POLL = 0.1
_RESTART_PAUSE_LIMIT = 5.0
_LOG_TAIL = 11  # and a line that names the member: as many as an error quotes
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


class ServerPlan(TypedDict):
    """How one server is run; paths are relative to the data folder.

    name: for messages. folder: its working directory. lock: what it holds while it runs; holds its pid.
    log: where it writes. pause: seconds before it is started again. command: the program and its options.
    """

    name: str
    folder: str
    lock: str
    log: str
    pause: float
    command: list[str]


class GuardedServer:
    """One server: started, and restarted when it was killed."""

    def __init__(self, data: Path, plan: ServerPlan, preload: str, stopping: threading.Event) -> None:
        self._data = data
        self._plan = plan
        self._stopping = stopping
        # For the server alone: neither this process nor any that it leaves behind runs on another allocator.
        self._environment = {**os.environ, "LD_PRELOAD": preload} if preload else None
        self._process: subprocess.Popen[bytes] | None = None
        # Loaded here: between fork and exec is no place to import or to open libraries.
        self._prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    @property
    def name(self) -> str:
        """What messages call it."""
        return self._plan["name"]

    def run(self) -> int:
        """Keep it running until all are to stop, and return its exit status if it refused to run."""
        pause = self._plan["pause"]
        while not self._stopping.is_set():
            started = time.monotonic()
            self._process = self._start()
            if self._stopping.is_set():  # the signal came before there was a server to stop
                self.stop()
            status = self._process.wait()
            if status > 0 and not self._stopping.is_set():
                # It refused by itself (its data, its options, a full disk) and would refuse again.
                return status
            lived = time.monotonic() - started
            pause = self._plan["pause"] if lived > _RESTART_PAUSE_LIMIT else pause * 2
            self._stopping.wait(max(self._plan["pause"], min(pause, _RESTART_PAUSE_LIMIT)))
        return 0

    def stop(self) -> None:
        """Ask it to stop, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.send_signal(signal.SIGCONT)  # a paused one would not notice

    def log_tail(self) -> str:
        """Return the last lines of its log."""
        with os.fdopen(open_own(self._data / self._plan["log"], os.O_RDONLY), errors="replace") as log:
            return "\n".join(log.read().splitlines()[-_LOG_TAIL:])

    def _start(self) -> subprocess.Popen[bytes]:
        lock = open_lock(self._data / self._plan["lock"])
        self._evict_orphan(lock)
        log = open_own(self._data / self._plan["log"], os.O_WRONLY | os.O_APPEND)

        def mark_and_bind() -> None:
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            if self._prctl is not None:
                # Sent when the thread that forks ends, which waits for the server.
                self._prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

        try:
            return subprocess.Popen(  # noqa: S603 - the program that find_server chose
                self._plan["command"],
                cwd=self._data / self._plan["folder"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                preexec_fn=mark_and_bind,
            )
        finally:
            os.close(lock)
            os.close(log)

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


class Guardian:
    """Runs the servers of a folder, and stops them after their last user, or when one of them refuses to run."""

    def __init__(self, data: Path, plans: Sequence[ServerPlan], preload: str) -> None:
        self._data = data
        self._stopping = threading.Event()
        self._servers = [GuardedServer(data, plan, preload, self._stopping) for plan in plans]
        self._status = 0

    def run(self) -> int:
        """Guard until the last user is gone, and return an exit status."""
        signal.signal(signal.SIGTERM, self._stop)
        threading.Thread(target=self._await_last_user, daemon=True).start()
        threads = [threading.Thread(target=self._guard, args=(server,)) for server in self._servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._status

    def _guard(self, server: GuardedServer) -> None:
        try:
            status = server.run()
        except OSError as error:
            sys.stdout.write(f"{server.name} cannot be started: {error}\n")
            status = 1
        if status and not self._status:
            self._status = status
            if len(self._servers) > 1:
                sys.stdout.write(f"{server.name} ended with status {status}:\n{server.log_tail()}\n")
                sys.stdout.flush()
            self._stop_all()

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
        self._stop_all()

    def _stop_all(self) -> None:
        self._stopping.set()
        # Those that watch come last in the plan, and stop first: they would take an end for a failure.
        for server in reversed(self._servers):
            server.stop()


def main(arguments: Sequence[str]) -> int:
    """Become the guardian: `DATA keep|delete PRELOAD PLANS`; the calling process returns once it guards."""
    data, after, preload, plans = Path(arguments[0]), arguments[1], arguments[2], json.loads(arguments[3])
    os.umask(0o077)
    os.chdir(data)
    guard = open_lock(data / GUARDIAN_LOCK)
    fcntl.flock(guard, fcntl.LOCK_EX)
    if os.fork():
        os._exit(0)
    log = open_own(data / LOG, os.O_WRONLY | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    status = Guardian(data, plans, preload).run()
    if after == "delete" and not status:  # the log of a refusal is for the user to read
        # Out of the way first: who looks for a guardian meanwhile would make a lock in what is being deleted.
        gone = data.with_name(f"{data.name}.gone")
        os.rename(data, gone)
        shutil.rmtree(gone, ignore_errors=True)
    # Released before the users' lock, which ends with this process: whoever comes next finds no guardian.
    os.close(guard)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A lock for state that threads, signal handlers and forked children share."""

from __future__ import annotations

import os
import threading
import weakref


class ProcessLock:
    """A reentrant lock that a forked child finds free when another thread of the parent held it.

    Reentrant, as a signal handler runs in the main thread, which may hold the lock already.
    """

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _renew(self) -> None:
        # The thread that forks may hold it itself, and will release it.
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock = threading.RLock()


_locks: weakref.WeakSet[ProcessLock] = weakref.WeakSet()


def _forked() -> None:
    for lock in list(_locks):
        lock._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

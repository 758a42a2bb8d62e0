"""The locks of the loads that run in this process, renewed by a process that no loader can starve."""

from __future__ import annotations

import itertools
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stockyard._aio.process_lock import ProcessLock
from stockyard._store.caches.caching import lock_of
from stockyard.cache.background import Background
from stockyard.errors import StockyardError
from stockyard.leases.keeper import LeaseKeeper
from stockyard.leases.table import Lease

_log = logging.getLogger(__name__)


class Locks:
    """The locks of one process.

    Args:
        make_keeper: makes the keeper that renews them.
        background: where it runs.
    """

    def __init__(self, make_keeper: Callable[[], LeaseKeeper], background: Background) -> None:
        self._make_keeper = make_keeper
        self._background = background
        self._guard = ProcessLock()
        self._owner = 0
        self._numbers = itertools.count(1)
        self._reset()

    def token(self) -> str:
        """Return a unique token."""
        if self._owner != os.getpid():
            self._reset()
        return f"{self._holder}:{next(self._numbers)}"

    async def ready(self, lock_ms: int) -> None:
        """Return when locks of this length will be renewed in time."""
        if lock_ms in self._served:
            return
        try:
            await self._background.call(self._keeper.start(self._holder, lock_ms, _lost))
            self._served.add(lock_ms)
        except (StockyardError, OSError) as error:
            _log.warning("locks of loads are not renewed, so a long load may run twice: %s", error)

    @contextmanager
    def held(self, cache: str, key: str, token: str, lock_ms: int) -> Iterator[None]:
        """Keep a lock renewed during the block."""
        slot = self._hold(cache, key, token, lock_ms)
        try:
            yield
        finally:
            if slot is not None:
                with self._guard:
                    self._keeper.release(slot)

    async def close(self) -> None:
        """End renewing, in the background's loop."""
        self._keeper.stop(self._holder)
        self._reset()

    def _hold(self, cache: str, key: str, token: str, lock_ms: int) -> int | None:
        if lock_ms not in self._served:
            return None
        queue, job = lock_of(cache, key)
        try:
            with self._guard:
                slot = self._keeper.hold(Lease(queue, job, token, 0, lock_ms))
        except StockyardError as error:
            _log.warning("a lock is not renewed, so a long load of %s may run twice: %s", cache, error)
            return None
        self._keeper.hint(lock_ms)
        return slot

    def _reset(self) -> None:
        self._owner = os.getpid()
        self._holder = secrets.token_hex(8)
        self._keeper = self._make_keeper()
        self._served: set[int] = set()


def _lost(_lease: Lease) -> None:
    """A load whose lock is lost goes on for those who wait; the write under its token will be refused."""

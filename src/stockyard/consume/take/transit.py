"""Keeps the leases of jobs whose records are on their way: a slow link takes longer than a lease."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from stockyard._store.jobs import leasing
from stockyard._store.keyspace import QueueKeyspace
from stockyard.errors import ServerError


class Transit:
    """The calls of one worker whose replies have not arrived.

    Args:
        keyspace: the queue.
        lock_ms: length of the leases.
    """

    def __init__(self, keyspace: QueueKeyspace, *, lock_ms: int) -> None:
        self._keyspace = keyspace
        self._lock_ms = lock_ms
        self._tasks: set[asyncio.Task[None]] = set()

    def holding(self, token: str, is_receiving: Callable[[], bool] | None = None) -> Holding:
        """Return a block during which the leases under a token are renewed, from a third of their length on.

        Args:
            token: of the call.
            is_receiving: leaves a call alone that waits for its first byte. Defaults to renewing anyway.
        """
        return Holding(self, token, self._lock_ms / 3000, is_receiving)

    def renew(self, token: str) -> None:
        """Renew the leases under a token, in the background."""
        task = asyncio.get_running_loop().create_task(self._hold(token))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Break off the renewals that are under way; stopping twice is fine."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _hold(self, token: str) -> None:
        with contextlib.suppress(ServerError):
            await leasing.hold(self._keyspace, token, self._lock_ms)


class Holding:
    """One call that is under way; see ``Transit.holding``."""

    __slots__ = ("_is_receiving", "_pause", "_timer", "_token", "_transit")

    def __init__(
        self, transit: Transit, token: str, pause: float, is_receiving: Callable[[], bool] | None
    ) -> None:
        self._transit = transit
        self._token = token
        self._pause = pause
        self._is_receiving = is_receiving

    def __enter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._renew)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _renew(self) -> None:
        if self._is_receiving is None or self._is_receiving():
            self._transit.renew(self._token)
        self.__enter__()

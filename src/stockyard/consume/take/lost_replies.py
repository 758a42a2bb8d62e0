"""Finds the jobs that were started for a worker by calls whose replies were lost."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from stockyard._store.jobs import leasing
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.load_size import LoadSize
from stockyard._store.records import StartedRecord
from stockyard.errors import ServerError


class _LostCall(msgspec.Struct):
    """A call whose reply was lost: its token, the places kept for its jobs, and the jobs found since."""

    token: str
    room: int
    known: list[str] = msgspec.field(default_factory=list)


class LostReplies:
    """The calls of one worker whose replies were lost.

    Args:
        keyspace: the queue.
        lock_ms: length of the leases.
        size: how much one call carries.
        start: starts jobs, given with the token that they are held under.
        free: gives up so many places that were kept for jobs of these calls.
    """

    def __init__(
        self,
        keyspace: QueueKeyspace,
        *,
        lock_ms: int,
        size: LoadSize,
        start: Callable[[list[StartedRecord], str], None],
        free: Callable[[int], None],
    ) -> None:
        self._keyspace = keyspace
        self._lock_ms = lock_ms
        self._size = size
        self._start = start
        self._free = free
        self._calls: list[_LostCall] = []

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, token: str, room: int) -> None:
        """Note a call whose reply was lost, and how many places are kept for its jobs."""
        self._calls.append(_LostCall(token, room))

    async def take(self) -> None:
        """Start the jobs that these calls took.

        Raises:
            ServerError: the server did not answer; what was not found yet is found by the next call.
        """
        while self._calls:
            call = self._calls.pop()
            try:
                while records := await leasing.reclaim(
                    self._keyspace,
                    call.token,
                    known=call.known,
                    lock_ms=self._lock_ms,
                    most_bytes=self._size.bytes,
                ):
                    # Renewed by their ids too: it confirms that they arrived.
                    held = await leasing.still_held(self._keyspace, records, call.token, self._lock_ms)
                    call.known += [record.raw_id.decode() for record in records]
                    # What runs counts by itself.
                    self._free(len(held))
                    call.room -= len(held)
                    self._start(held, call.token)
            except ServerError:
                self._calls.append(call)
                raise
            self._free(call.room)

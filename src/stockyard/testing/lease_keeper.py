"""Keeps the leases of an App under test in its own loop, without a child process, and stops doing so on demand."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterable, Sequence

from stockyard._store.jobs import leasing
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard.errors import ServerError
from stockyard.leases.keeper import LeaseKeeper, Lost, Renewed
from stockyard.leases.table import Lease
from stockyard.model.naming import Naming

_LONGEST_LEASE_MS = 20_000
"""Leases are looked at in a quarter of this at the latest."""


class LoopLeaseKeeper(LeaseKeeper):
    """The leases of one App under test.

    A process of its own keeps leases whatever the handlers do; it takes a third of a second to start, which a test
    need not spend, and cannot be frozen together with its App.

    Args:
        server: where the leases are.
        naming: how keys are spelled.

    Attributes:
        is_frozen: it renews nothing, as that of a process that is frozen or dead.
    """

    def __init__(self, server: Server, naming: Naming) -> None:
        super().__init__(server.address, naming=naming)
        self._server = server
        self._spelling = naming
        self._leases: dict[int, Lease] = {}
        self._slots = itertools.count()
        self._on_lost: dict[str, Lost] = {}
        self._on_renewed: dict[str, Renewed] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._pause_ms = 0
        self._is_shorter = asyncio.Event()
        self._reported: set[int] = set()
        self.is_frozen: bool = False

    async def start(self, worker: str, lock_ms: int, on_lost: Lost, on_renewed: Renewed | None = None) -> None:
        """Serve a worker; the arguments are those of ``LeaseKeeper.start``."""
        self._on_lost[worker] = on_lost
        if on_renewed is not None:
            self._on_renewed[worker] = on_renewed
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew_in_time(), name="leases under test")

    def stop(self, worker: str) -> None:
        """End serving a worker; stopping twice is fine."""
        self._on_lost.pop(worker, None)
        self._on_renewed.pop(worker, None)
        if not self._on_lost and self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None

    def hold(self, lease: Lease) -> int:
        """Keep a lease from now on; return its slot for ``release``."""
        slot = next(self._slots)
        self._leases[slot] = lease
        return slot

    def holder(self, queue: str, token: str, lock_ms: int) -> Callable[[str, int], int]:
        """Return what keeps the leases of one call: given a job's id and its start, it returns the slot."""
        return lambda job_id, starts: self.hold(Lease(queue, job_id, token, starts, lock_ms))

    def release(self, slot: int) -> None:
        """End a lease."""
        self._leases.pop(slot, None)
        self._reported.discard(slot)

    def hint(self, lock_ms: int) -> None:
        """Leases of this length were just taken: shorter ones are to be renewed sooner."""
        if lock_ms // 4 < self._pause_ms:
            self._is_shorter.set()

    async def renew(self) -> None:
        """Renew every lease now, unless it is frozen; break off the runs of those that are lost.

        Raises:
            ServerError: the server did not answer.
        """
        if self.is_frozen:
            return
        held = dict(self._leases)
        kinds = {(lease.queue, lease.lock_ms) for lease in held.values()}
        for queue, lock_ms in sorted(kinds):
            slots = {
                slot: lease for slot, lease in held.items() if (lease.queue, lease.lock_ms) == (queue, lock_ms)
            }
            lost = set(await self._renewed(queue, lock_ms, slots.values()))
            kept = [lease for lease in slots.values() if lease.job_id not in lost]
            for worker, listener in list(self._on_renewed.items()):
                if mine := [lease.job_id for lease in kept if lease.token.startswith(f"{worker}:")]:
                    listener(mine)
            for slot, lease in slots.items():
                if lease.job_id in lost and slot in self._leases and slot not in self._reported:
                    self._reported.add(slot)
                    if on_lost := self._on_lost.get(lease.token.partition(":")[0]):
                        on_lost(lease)

    async def _renewed(self, queue: str, lock_ms: int, leases: Iterable[Lease]) -> Sequence[str]:
        keyspace = QueueKeyspace(self._server, self._spelling, queue)
        return await leasing.renew(keyspace, [(each.job_id, each.token, each.starts) for each in leases], lock_ms)

    async def _renew_in_time(self) -> None:
        while True:
            self._pause_ms = (
                min((lease.lock_ms for lease in self._leases.values()), default=_LONGEST_LEASE_MS) // 4
            )
            self._is_shorter.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_ms / 1000):
                    await self._is_shorter.wait()
            with contextlib.suppress(ServerError):
                await self.renew()

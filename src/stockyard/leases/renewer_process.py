"""The process that renews leases: it runs no user code, so nothing that a handler does can starve it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import msgspec

from stockyard._aio.parent_watch import watch_parent
from stockyard._store.jobs.leasing import renew
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard.config import Address
from stockyard.errors import ServerError
from stockyard.leases.table import Lease, LeaseTable
from stockyard.model.naming import Naming

READY = b"ready"
"""What it says first; after that, each line is a lease that is not its parent's any more."""

_PER_CALL = 200
_LONGEST_PAUSE = 5.0


class Assignment(msgspec.Struct):
    """What the parent says first, on standard input.

    Attributes:
        address: the server.
        naming: how keys are spelled.
        table: file descriptor of the leases.
        is_replacement: the leases are those of a child that died, and due at once.
    """

    address: Address
    naming: Naming
    table: int
    is_replacement: bool


class _Renewer:
    def __init__(self, assignment: Assignment) -> None:
        self._server = Server(assignment.address, call_timeout=2.0)
        self._naming = assignment.naming
        self._keyspaces: dict[str, QueueKeyspace] = {}
        self._parent = os.getppid()
        self._reported: set[tuple[str, str]] = set()

    async def renew_all(self, table: LeaseTable) -> float:
        """Renew every lease of the table once; return the seconds until that is due again."""
        leases = list(table)
        if _is_stopped(self._parent):
            # A frozen worker must lose its jobs to a live one.
            return 0.25
        by_queue: dict[tuple[str, int], list[Lease]] = {}
        for lease in leases:
            by_queue.setdefault((lease.queue, lease.lock_ms), []).append(lease)
        for (queue, lock_ms), held in by_queue.items():
            with contextlib.suppress(ServerError):
                for at in range(0, len(held), _PER_CALL):
                    await self._renew(queue, lock_ms, held[at : at + _PER_CALL])
        self._reported &= {(lease.job_id, lease.token) for lease in leases}
        return self.pause(table)

    def pause(self, table: LeaseTable) -> float:
        """Return the seconds between two renewals."""
        # Of the shortest ever, not of those in hand: the next of that length may begin at any moment.
        return min(table.shortest_ms / 4000, _LONGEST_PAUSE) or _LONGEST_PAUSE

    async def _renew(self, queue: str, lock_ms: int, held: list[Lease]) -> None:
        keyspace = self._keyspaces.get(queue)
        if keyspace is None:
            keyspace = self._keyspaces[queue] = QueueKeyspace(self._server, self._naming, queue)
        wanted = {lease.job_id: lease for lease in held}
        for job_id in await renew(keyspace, [(each.job_id, each.token, each.starts) for each in held], lock_ms):
            lease = wanted[job_id]
            # Once: a parent that does not read must not fill the pipe and hold up the other leases.
            if (job_id, lease.token) not in self._reported:
                self._reported.add((job_id, lease.token))
                sys.stdout.buffer.write(msgspec.json.encode(lease) + b"\n")
        sys.stdout.buffer.flush()


def _is_stopped(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return False
    return state in "Tt"


async def _run(assignment: Assignment) -> None:
    table = LeaseTable(assignment.table)
    renewer = _Renewer(assignment)
    loop = asyncio.get_running_loop()
    hint = asyncio.Event()

    # A message: something shorter is held now. The parent is gone: so are its leases.
    watch_parent(on_message=hint.set, on_gone=lambda: os._exit(0))
    sys.stdout.buffer.write(READY + b"\n")
    sys.stdout.buffer.flush()
    # What is in the table of a first child was just taken: its renewal is not due yet.
    last, pause = loop.time(), 0.0 if assignment.is_replacement else renewer.pause(table)
    while True:
        while (left := last + pause - loop.time()) > 0:
            hint.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await hint.wait()
                    pause = renewer.pause(table)
        last = loop.time()
        pause = await renewer.renew_all(table)


def main() -> None:
    """Serve the parent until it ends."""
    # Ctrl-C and a service manager's stop reach the whole group; the parent still needs its leases then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    length = int.from_bytes(os.read(0, 4), "big")
    asyncio.run(_run(msgspec.msgpack.decode(os.read(0, length), type=Assignment)))

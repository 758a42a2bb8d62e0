"""Keeps the leases of this process's running jobs, by a child that user code cannot starve."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

from stockyard._store.jobs.leasing import renewing_script
from stockyard.config import Address
from stockyard.errors import ConfigError
from stockyard.leases.assignment import READY, RENEWED, Assignment, messages, read_renewed
from stockyard.leases.table import Lease, LeaseTable
from stockyard.model.naming import Naming

_log = logging.getLogger(__name__)
Lost = Callable[[Lease], None]
Renewed = Callable[[list[str]], None]

_LONG_LEASE_MS = 10_000
"""From here on the child is up long before the first lease needs it."""

_SLOW_START_SECONDS = 30.0
_PAUSE_SECONDS = 0.2


class LeaseKeeper:
    """The leases of one process, for all its workers.

    Args:
        address: the server.
        naming: how keys are spelled.
    """

    def __init__(self, address: Address, *, naming: Naming) -> None:
        self._address = address
        self._naming = naming
        self._table: LeaseTable | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._listeners: dict[str, Lost] = {}
        self._renewal_listeners: dict[str, Renewed] = {}
        self._shortest_known = 0
        self._ready = asyncio.Event()
        self._output = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self, worker: str, lock_ms: int, on_lost: Lost, on_renewed: Renewed | None = None) -> None:
        """Serve a worker; where leases are short, return only when the child keeps them.

        Args:
            worker: begins the tokens of its leases.
            lock_ms: their length.
            on_lost: called in the loop with a lease that is not this process's any more.
            on_renewed: called in the loop with the ids of jobs whose leases were renewed. Defaults to None: the
                child does not say.

        Raises:
            ConfigError: it serves workers of another loop.
        """
        loop = asyncio.get_running_loop()
        if self._listeners and loop is not self._loop:
            raise ConfigError("the workers of one App run in one event loop; make another App for another loop")
        self._loop = loop
        self._listeners[worker] = on_lost
        if self._table is None:
            self._table = LeaseTable.create()
        if on_renewed is not None:
            self._renewal_listeners[worker] = on_renewed
            self._table.reports_renewals = True
        if self._child is None:
            self._spawn(is_replacement=False)
        if lock_ms >= _LONG_LEASE_MS:
            return
        began = loop.time()
        while not self._ready.is_set():
            try:
                async with asyncio.timeout(_SLOW_START_SECONDS):
                    await self._ready.wait()
            except TimeoutError:
                # A machine that is that busy is not helped by workers that end and are started again.
                _log.warning(
                    "the process that keeps leases has not started within %.0f s; until it has, this worker takes "
                    "no jobs. Is the machine overloaded?",
                    loop.time() - began,
                )

    def stop(self, worker: str) -> None:
        """End serving a worker; the last one ends the child. Stopping twice is fine."""
        self._listeners.pop(worker, None)
        self._renewal_listeners.pop(worker, None)
        if not self._listeners:
            self._end_child()
            if self._table is not None:
                self._table.close()
                self._table = None
            self._shortest_known = 0

    def hold(self, lease: Lease) -> int:
        """Keep a lease from now on; return its slot for ``release``."""
        assert self._table is not None
        return self._table.hold(lease)

    def holder(self, queue: str, token: str, lock_ms: int) -> Callable[[str, int], int]:
        """Return what keeps the leases of one call: given a job's id and its start, it returns the slot."""
        assert self._table is not None
        return self._table.holder(queue, token, lock_ms)

    def release(self, slot: int) -> None:
        """Let a lease go."""
        if self._table is not None:
            self._table.release(slot)

    def hint(self, lock_ms: int) -> None:
        """Leases of this length were just taken: a child that sleeps longer looks at once."""
        if self._shortest_known and lock_ms >= self._shortest_known:
            return
        self._shortest_known = lock_ms
        if self._child is not None and self._child.stdin is not None:
            try:
                self._child.stdin.write(b"!")
            except (BrokenPipeError, BlockingIOError):
                _log.debug("the lease child does not read")

    def _spawn(self, *, is_replacement: bool) -> None:
        assert self._table is not None
        assert self._loop is not None
        self._output.clear()
        self._ready.clear()
        self._child = _start_renewer(self._table.descriptor)
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        # By pipe, not by argument: the address holds the password.
        assignment = Assignment(
            self._address, self._naming, renewing_script(), self._table.descriptor, is_replacement
        )
        self._child.stdin.write(assignment.packed())
        self._loop.add_reader(self._child.stdout.fileno(), self._child_spoke, self._child)

    def _spawn_again(self) -> None:
        if self._listeners and self._child is None:
            self._spawn(is_replacement=True)

    def _child_spoke(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        assert self._loop is not None
        output = child.stdout.read(65536)
        if not output:
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.1)  # it is ending by itself: its own exit code tells why
            self._end_child()
            if self._listeners:
                _log.warning("the lease child ended (exit code %s); starting another", child.returncode)
                self._loop.call_later(_PAUSE_SECONDS, self._spawn_again)
            return
        self._output += output
        for message in messages(self._output):
            if message == READY:
                self._ready.set()
                continue
            if message.startswith(RENEWED):
                self._say_renewed(message)
                continue
            lease = Lease.unpacked(message)
            listener = self._listeners.get(lease.token.partition(":")[0])
            if listener is not None:
                listener(lease)

    def _say_renewed(self, message: bytes) -> None:
        by_worker: dict[str, list[str]] = {}
        for token, job_id in read_renewed(message):
            by_worker.setdefault(token.partition(":")[0], []).append(job_id)
        for worker, job_ids in by_worker.items():
            if (listener := self._renewal_listeners.get(worker)) is not None:
                listener(job_ids)

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None or child.stdin is None or child.stdout is None or self._loop is None:
            return
        if not self._loop.is_closed():
            self._loop.remove_reader(child.stdout.fileno())
        child.stdin.close()
        child.stdout.close()
        # It keeps nothing that a sudden end could spoil; the loop would stand still until it had ended by itself.
        child.kill()
        child.wait()


def _start_renewer(table: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "from stockyard.leases.renewer_process import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(table,),
        bufsize=0,
    )

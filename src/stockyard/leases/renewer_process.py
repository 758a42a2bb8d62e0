"""The process that renews leases: it runs no user code, so nothing that a handler does can starve it.

It imports as little as it can, as each worker has one: no asyncio, no TLS where the server does not use it, and
neither msgspec nor what composes scripts. A test has the list.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

from stockyard._store.jobs.renewing import Renewals
from stockyard.errors import ServerError
from stockyard.leases.assignment import READY, Assignment, MessageWriter, renewed_message
from stockyard.leases.table import Lease, LeaseTable

_PER_CALL = 200
_LONGEST_PAUSE = 5.0
_CALL_SECONDS = 2.0
_FULL_PIPE_SECONDS = 0.1


class Renewer:
    """Renews all leases of a table in turn, queue by queue.

    Args:
        assignment: of the process.
        output: gets the leases that are not its parent's any more.
        clock: in seconds; never put back.
    """

    def __init__(
        self, assignment: Assignment, output: MessageWriter, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._output = output
        self._renewals = Renewals(
            assignment.address, assignment.naming, assignment.script, call_timeout=_CALL_SECONDS
        )
        self._parent = os.getppid()
        self._reported: set[tuple[str, str]] = set()
        self._clock = clock
        self._failed: list[tuple[str, int]] = []
        self._reports_renewals = False

    def renew_all(self, table: LeaseTable) -> float:
        """Renew every lease of the table once; return the seconds until that is due again."""
        leases = list(table)
        self._reports_renewals = table.reports_renewals
        if _is_stopped(self._parent):
            # A frozen worker must lose its jobs to a live one.
            return 0.25
        by_queue: dict[tuple[str, int], list[Lease]] = {}
        for lease in leases:
            by_queue.setdefault((lease.queue, lease.lock_ms), []).append(lease)
        self._renew_in_turn(by_queue, self._clock() + self.pause(table) / 2)
        self._reported &= {(lease.job_id, lease.token) for lease in leases}
        return self.pause(table)

    def _renew_in_turn(self, by_queue: dict[tuple[str, int], list[Lease]], until: float) -> None:
        """Renew the leases of each queue, those of a server that was silent the last time at the end.

        A node of a cluster may be silent alone: while calls to it wait, the leases on the others must not run out.
        """
        before = [key for key in self._failed if key in by_queue]
        skipped, failed = [], []
        for key in [*(key for key in by_queue if key not in before), *before]:
            if key in before and self._clock() > until:
                skipped.append(key)
                continue
            queue, lock_ms = key
            held = by_queue[key]
            try:
                for at in range(0, len(held), _PER_CALL):
                    self._renew(queue, lock_ms, held[at : at + _PER_CALL])
            except ServerError:
                failed.append(key)
        # Each has its turn.
        self._failed = skipped + failed

    def pause(self, table: LeaseTable) -> float:
        """Return the seconds between two renewals."""
        # Of the shortest ever, not of those in hand: the next of that length may begin at any moment.
        return min(table.shortest_ms / 4000, _LONGEST_PAUSE) or _LONGEST_PAUSE

    def _renew(self, queue: str, lock_ms: int, held: list[Lease]) -> None:
        wanted = {lease.job_id: lease for lease in held}
        leases = [(lease.job_id, lease.token, lease.starts) for lease in held]
        lost = self._renewals.renew(queue, leases, lock_ms)
        for job_id in lost:
            lease = wanted[job_id]
            # Once: what a parent does not read must not grow.
            if (job_id, lease.token) not in self._reported:
                self._reported.add((job_id, lease.token))
                self._output.write(lease.packed())
        # Not to a parent that does not read: what waits for it must not grow.
        if self._reports_renewals and not self._output.is_behind:
            gone = set(lost)
            kept = [(lease.token, lease.job_id) for lease in held if lease.job_id not in gone]
            if kept:
                self._output.write(renewed_message(kept))


def _is_stopped(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as stat:
            state = stat.read().rpartition(") ")[2][:1]
    except OSError:
        return False
    return state in "Tt"


def _watch_parent(hint: threading.Event) -> None:
    """Read what the parent writes; end the process when it is gone.

    In a thread of its own: it ends at once, whatever the other thread waits for.
    """
    while os.read(0, 4096):
        # Something shorter is held now.
        hint.set()
    # The leases are gone with the parent.
    os._exit(0)


def _run(assignment: Assignment) -> None:
    table = LeaseTable(assignment.table)
    output = MessageWriter(1)
    renewer = Renewer(assignment, output)
    hint = threading.Event()
    threading.Thread(target=_watch_parent, args=(hint,), daemon=True).start()
    output.write(READY)
    # What is in the table of a first child was just taken: its renewal is not due yet.
    last, pause = time.monotonic(), 0.0 if assignment.is_replacement else renewer.pause(table)
    while True:
        while (left := last + pause - time.monotonic()) > 0:
            if hint.wait(min(left, _FULL_PIPE_SECONDS) if output.is_behind else left):
                hint.clear()
                pause = renewer.pause(table)
            output.flush()
        last = time.monotonic()
        pause = renewer.renew_all(table)


def main() -> None:
    """Serve the parent until it ends."""
    # Ctrl-C and a service manager's stop reach the whole group; the parent still needs its leases then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # A parent that closes quickly may be gone before the first word to it.
    with contextlib.suppress(EOFError, BrokenPipeError):
        _run(Assignment.read(partial(os.read, 0)))

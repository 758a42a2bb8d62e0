"""Makes the next run of each schedule whose run was taken, and only then lets that run start."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

from stockyard._aio.repeats import repeats
from stockyard._aio.retry_delay import RetryDelay
from stockyard._store.jobs import editing, leasing, scheduling
from stockyard._store.jobs.rows import CorruptRecord, options_of
from stockyard._store.jobs.scheduling import Started
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import StartedRecord
from stockyard.consume.finish.finisher import Finisher
from stockyard.consume.run.ending import Ending
from stockyard.errors import ServerError
from stockyard.model.outcome import Completed, Failed
from stockyard.model.retention import KeepOption

_log = logging.getLogger(__name__)
_NOTHING = "null"


class NextRunMaker:
    """The runs of schedules that are held and not started yet.

    Args:
        keyspace: the queue.
        lock_ms: length of their leases.
        keep: retention of completed and of failed jobs, where the job says nothing.
        start: starts those that are to run, given with their token.
        finisher: takes over those that are not to run.
    """

    def __init__(
        self,
        keyspace: QueueKeyspace,
        *,
        lock_ms: int,
        keep: tuple[KeepOption | None, KeepOption | None],
        start: Callable[[Sequence[StartedRecord], str], None],
        finisher: Finisher,
    ) -> None:
        self._keyspace = keyspace
        self._lock_ms = lock_ms
        self._keep_completed, self._keep_failed = keep
        self._start = start
        self._finisher = finisher
        self._held = 0
        self._is_closing = False
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return self._held

    def take(self, records: Sequence[StartedRecord], token: str) -> None:
        """Take over runs that were started under a token."""
        self._held += len(records)
        task = asyncio.create_task(self._advance(records, token), name=f"schedules of {self._keyspace.queue}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Return when none is held any more; for a worker that takes no more.

        Runs that cannot be advanced now, because the server is away, are given up: when their leases have run
        out, another worker starts them again, and makes what follows them.
        """
        self._is_closing = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _advance(self, records: Sequence[StartedRecord], token: str) -> None:
        held = len(records)
        try:
            records, found = await self._next_runs(records, token)
            to_start: list[StartedRecord] = []
            for record, started in zip(records, found, strict=True):
                if started is None:
                    to_start.append(record)
                elif started.trouble:
                    self._fail(record, token, started.trouble)
                elif reason := reason_to_skip(record, started, self._keyspace.clock()):
                    await self._skip(record, token, reason)
                else:
                    to_start.append(record)
            self._start(to_start, token)
        finally:
            self._held -= held

    async def _next_runs(
        self, records: Sequence[StartedRecord], token: str
    ) -> tuple[Sequence[StartedRecord], list[Started | None]]:
        """Ask the server until it answers; runs that pass to others meanwhile are left to them."""
        retry_delay, is_late = RetryDelay(), False
        while True:
            try:
                if is_late:
                    records = await leasing.still_held(self._keyspace, records, token, self._lock_ms)
                return records, await scheduling.advance(self._keyspace, records) if records else []
            except ServerError as error:
                repeats.warn(_log, f"schedules of queue {self._keyspace.queue}", error)
                if self._is_closing:
                    return [], []
                is_late = True
                await retry_delay.wait()

    async def _skip(self, record: StartedRecord, token: str, reason: str) -> None:
        with contextlib.suppress(ServerError):
            await editing.append_log(self._keyspace, record.id, reason)
        try:
            chosen = options_of(record.options).remove_on_complete
        except CorruptRecord:
            chosen = None
        keep = self._keep_completed if chosen is None else chosen
        self._finisher.put(Ending(record.id, token, Completed(_NOTHING, keep), record.start_number))

    def _fail(self, record: StartedRecord, token: str, reason: str) -> None:
        _log.error("job %s of queue %s: %s", record.shown_id, self._keyspace.queue, reason)
        failed = Failed(reason, (reason,), 0, self._keep_failed)
        self._finisher.put(Ending(record.id, token, failed, record.start_number))


def reason_to_skip(record: StartedRecord, started: Started, now: int) -> str:
    """Return why the run of a schedule is not to run, empty where it is.

    Args:
        record: the run.
        started: what is known of its schedule.
        now: the server's time in ms.
    """
    if started.beside:
        return f"skipped: run {started.beside} of the same schedule is still going on (overlap='skip')"
    is_first_start = record.start_number == 1 and not record.attempts_made
    if (
        started.misfire == "skip"
        and is_first_start
        and started.timing is not None
        and started.timing.is_missed(started.due, now)
    ):
        return f"skipped: it was due {(now - started.due) / 1000:.1f} s ago (misfire='skip')"
    if started.timing is not None and not started.timing.admits(started.due):
        # Made by a peer that goes by the pattern alone.
        return f"skipped: the calendar {started.timing.calendar} has no run at its time"
    return ""

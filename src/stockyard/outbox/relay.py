"""The relay of an outbox: moves committed jobs to their queues, in order, by one leader."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

from sqlalchemy.exc import SQLAlchemyError

from stockyard._aio.repeats import repeats
from stockyard._aio.retry_delay import RetryDelay
from stockyard._aio.stop_signals import stop_signals
from stockyard._store.jobs.adding import BATCH
from stockyard.app import App
from stockyard.errors import (
    ConfigError,
    InvalidOption,
    PayloadError,
    ServerError,
    ServerRefused,
    UnknownQueue,
)
from stockyard.model import checks
from stockyard.outbox.database import Database, first_line
from stockyard.outbox.listener import CommitListener
from stockyard.outbox.outbox import Outbox
from stockyard.outbox.pauses import QueuePauses
from stockyard.outbox.relay_health import RelayHealth
from stockyard.outbox.relay_options import RelayOptions, RelaySpec
from stockyard.outbox.status import OutboxStatus
from stockyard.outbox.stored_job import PendingRow, stored_add
from stockyard.produce.relayed_adds import RelayedAdds, StoredAdd

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from stockyard.observe.app_monitor import AppMonitor

_log = logging.getLogger(__name__)
_PRUNED_AT_ONCE = 1000
_PRUNE_PAUSE = 60.0
"""Longest time, in seconds, between two looks for rows that are older than they are kept."""


class OutboxRelay:
    """Moves the jobs of an outbox to their queues, once each and in order.

    Any number of relays may run; one of them leads. The jobs that one transaction adds to a queue keep their
    order, and so do those of transactions of which one began after the other was committed. A relay that is killed
    may repeat its last adds; the queue knows which rows it has had, and adds none twice within ``memory``.

    Args:
        app: the queues on their server.
        database: URL of the outbox's database, or an engine, with or without asyncio.
        outbox: the outbox. Defaults to the table ``stockyard_outbox`` with the app's queues.
        options: see ``RelayOptions``.

    Raises:
        InvalidOption: an option is not known or out of its range.
        ConfigError: the database cannot be used.

    Example:
        async with App(shop) as app:
            relay = OutboxRelay(app, engine, outbox)
            await relay.start()
            ...
            await relay.stop()
    """

    def __init__(
        self,
        app: App,
        database: str | Engine | AsyncEngine,
        outbox: Outbox | None = None,
        **options: Unpack[RelayOptions],
    ) -> None:
        self._app: App = checks.instance("app", app, App)
        self._outbox = Outbox(app.topology) if outbox is None else checks.instance("outbox", outbox, Outbox)
        self._spec = RelaySpec.of(options)
        self._database = Database(database)
        self._rows = self._outbox.rows
        self._wake = asyncio.Event()
        self._listener = CommitListener(self._database.engine, self._outbox.channel, self._wake.set)
        self._name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._leads_until = 0.0
        self._pauses = QueuePauses()
        self._monitor: AppMonitor | None = None
        self._health = RelayHealth(self._outbox.table.fullname, app.topology, self.status)
        self._adds: dict[str, RelayedAdds] = {}
        self._reported: str | None = None
        self._prunes_at = 0.0
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin in the background.

        Raises:
            ConfigError: the database answers, and has no such table.
        """
        if self._task is not None:
            return
        try:
            await self._require_tables()
        except ConfigError:
            await self._database.aclose()
            raise
        except (SQLAlchemyError, OSError) as error:
            repeats.warn(_log, "outbox relay waits for its database", first_line(error))
        self._stopping = False
        await self._listener.start()
        self._health.start()
        self._monitor = self._app.monitor
        self._monitor.watch_outbox(self._health)
        self._task = asyncio.create_task(self._run(), name="outbox relay")

    async def stop(self) -> None:
        """End after the jobs in hand, and let another relay lead at once; stopping twice is fine."""
        task, self._task = self._task, None
        if task is None:
            return
        if self._monitor is not None:
            self._monitor.forget_outbox(self._health)
        self._stopping = True
        self._wake.set()
        await self._listener.stop()
        await asyncio.wait([task], timeout=self._spec.lease_ms / 1000)
        task.cancel()
        await asyncio.wait([task])
        await self._close()

    async def run(self) -> None:
        """Relay until SIGTERM or SIGINT; raises the errors of ``start``."""
        with stop_signals() as asked:
            await self.start()
            try:
                await asked.wait()
            finally:
                await self.stop()

    async def relay_pending(self) -> int:
        """Relay what is committed now, and return how many jobs that were, for programs that run now and then.

        Jobs of queues that take no more are left. While another relay leads, nothing is relayed.

        Raises:
            ConfigError: there is no such table.
            ServerError: the server of the queues did not answer.
            sqlalchemy.exc.SQLAlchemyError: the database did not.
        """
        self._stopping = False
        try:
            await self._require_tables()
            total = 0
            while relayed := await self._round():
                total += relayed
            return total
        finally:
            if self._task is None:
                await self._close()

    async def status(self) -> OutboxStatus:
        """Return what the outbox holds at this moment."""
        return await self._database.run(self._rows.status)

    async def _run(self) -> None:
        delay = RetryDelay(first=0.1, longest=5)
        while not self._stopping:
            self._wake.clear()
            try:
                relayed = await self._round()
                await self._report(self._pauses.reason)
                await self._prune()
                self._health.note("")
            except (ServerError, SQLAlchemyError, OSError) as error:
                self._health.note(first_line(error))
                repeats.warn(_log, "outbox relay cannot go on", first_line(error))
                await self._report_failure(error)
                await delay.wait()
            except Exception as error:
                self._health.note(f"{type(error).__name__}; see the log of this process")
                _log.exception("outbox relay: a round broke off")
                await delay.wait()
            else:
                delay.reset()
                if not relayed:
                    await self._rest()

    async def _rest(self) -> None:
        """Wait for the next commit, poll, or end of a queue's pause."""
        pause = self._pauses.next_end(time.monotonic())
        seconds = self._spec.poll_ms / 1000
        try:
            await asyncio.wait_for(self._wake.wait(), seconds if pause is None else min(seconds, pause))
        except TimeoutError:
            return

    async def _round(self) -> int:
        """Relay the first rows that wait, if this relay leads; return how many."""
        if not await self._lead():
            return 0
        left_alone = self._pauses.at(time.monotonic())
        rows = await self._database.run(
            lambda dialect: self._rows.pending(dialect, limit=self._spec.batch, without=left_alone)
        )
        by_queue: dict[str, list[PendingRow]] = {}
        for row in rows:
            by_queue.setdefault(row.queue, []).append(row)
        if len(rows) < self._spec.batch:
            self._pauses.retain(left_alone | set(by_queue))
        relayed = 0
        for name, group in by_queue.items():
            try:
                relayed += await self._relay(name, group)
            except (ServerRefused, UnknownQueue) as error:
                # What concerns this queue, or all of them: no row of it is at fault.
                self._pause(name, f"queue {name!r}: {error}")
        return relayed

    async def _relay(self, name: str, rows: Sequence[PendingRow]) -> int:
        """Relay rows of one queue in their order, as many as it takes; return how many."""
        adds = self._adds_of(name)
        done = relayed = 0
        while done < len(rows) and not self._stopping and await self._lead():
            readable, refused = _readable(rows[done : done + BATCH])
            if readable:
                batch = await adds.add_first(readable)
                if batch.added:
                    await self._mark(rows[done : done + batch.added])
                    self._pauses.clear(name)
                    done, relayed = done + batch.added, relayed + batch.added
                if batch.is_full:
                    reason = f"queue {name!r} has {self._spec.max_waiting:,} waiting jobs, which is max_waiting"
                    self._pause(name, reason, grows=False)
                    break
                refused = batch.refused
            if refused is not None:
                if not await self._refuse(rows[done], refused):
                    break
                done += 1
        return relayed

    def _adds_of(self, name: str) -> RelayedAdds:
        if name not in self._adds:
            queue, spec = self._app.queue(name), self._spec
            self._adds[name] = RelayedAdds(queue, memory_ms=spec.memory_ms, most=spec.max_waiting)
        return self._adds[name]

    async def _lead(self) -> bool:
        """Be the leader for at least half of the lease from now, if no other relay is."""
        lease = self._spec.lease_ms / 1000
        began = time.monotonic()
        if self._leads_until - began > lease / 2:
            return True
        leads = await self._database.run(
            lambda dialect: self._rows.lead(dialect, owner=self._name, lease_ms=self._spec.lease_ms)
        )
        if leads and self._leads_until <= began:
            # What the leader before had to report is not this one's.
            self._reported = ""
        # From before the call: a frozen process does not take its lease for a longer one than it has.
        self._leads_until = began + lease if leads else 0.0
        return leads

    async def _mark(self, rows: Sequence[PendingRow]) -> None:
        sequences, keeps = [row.sequence for row in rows], self._spec.keep_ms is not None
        await self._database.run(lambda dialect: self._rows.mark_relayed(dialect, sequences, keeps=keeps))

    async def _refuse(self, row: PendingRow, error: Exception) -> bool:
        """Record that a job was refused; return whether those behind it go on without it."""
        is_final = row.attempts + 1 >= self._spec.attempts
        _log.log(
            logging.ERROR if is_final else logging.WARNING,
            "outbox row %d: job %s (%r) of queue %s was refused, attempt %d of %d: %s",
            row.sequence,
            row.job_id,
            row.name,
            row.queue,
            row.attempts + 1,
            self._spec.attempts,
            error,
            extra={"queue": row.queue, "job_id": row.job_id},
        )
        await self._database.run(
            lambda dialect: self._rows.refuse(dialect, row, error=str(error), is_final=is_final)
        )
        if is_final:
            self._pauses.clear(row.queue)
        else:
            self._pauses.add(row.queue, f"queue {row.queue!r}: {error}", time.monotonic())
        return is_final

    def _pause(self, name: str, reason: str, *, grows: bool = True) -> None:
        self._pauses.add(name, reason, time.monotonic(), grows=grows)
        repeats.warn(_log, "outbox relay", reason)

    async def _report(self, reason: str | None) -> None:
        if reason != self._reported and time.monotonic() < self._leads_until:
            await self._database.run(lambda dialect: self._rows.report(dialect, reason))
            self._reported = reason

    async def _report_failure(self, error: Exception) -> None:
        try:
            await self._report(first_line(error))
        except (SQLAlchemyError, OSError) as second:
            _log.debug("the outbox's database does not take reports: %s", second)

    async def _prune(self) -> None:
        keep_ms, now = self._spec.keep_ms, time.monotonic()
        if keep_ms is None or now < self._prunes_at or now >= self._leads_until:
            return
        pruned = await self._database.run(
            lambda dialect: self._rows.prune(dialect, older_ms=keep_ms, limit=_PRUNED_AT_ONCE)
        )
        if pruned < _PRUNED_AT_ONCE:
            self._prunes_at = now + min(_PRUNE_PAUSE, keep_ms / 1000)

    async def _require_tables(self) -> None:
        if not await self._database.run(self._rows.exist):
            raise ConfigError(
                f"the database has no table {self._outbox.table.fullname} or {self._outbox.relay_table.fullname}: "
                "make them with outbox.create_table(engine), or by a migration with what outbox.ddl(…) returns"
            )

    async def _close(self) -> None:
        """Let another relay lead, and close what this one opened."""
        self._leads_until = 0.0
        try:
            await self._database.run(lambda dialect: self._rows.release(dialect, owner=self._name))
        except (SQLAlchemyError, OSError) as error:
            _log.debug("the lead runs out by itself: %s", error)
        await self._database.aclose()


def _readable(rows: Sequence[PendingRow]) -> tuple[list[StoredAdd], Exception | None]:
    """Return the adds of the first rows, up to one that cannot be read, and why that one cannot."""
    adds: list[StoredAdd] = []
    for row in rows:
        try:
            adds.append(stored_add(row))
        except (PayloadError, InvalidOption) as error:
            return adds, error
    return adds, None

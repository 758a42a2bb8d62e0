"""What is read from and written to the tables of an outbox, each operation in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BigInteger, Table, and_, cast, column, delete, extract, func, literal, select, text, update
from sqlalchemy import table as table_clause
from sqlalchemy.dialects import postgresql, sqlite

from stockyard.model.clock import Clock
from stockyard.outbox.connections import Step, Steps
from stockyard.outbox.status import FailedRow, OutboxStatus
from stockyard.outbox.stored_job import PendingRow
from stockyard.outbox.tables import definitions

_SHOWN = 20
"""Failed rows that a status lists."""

_ONLY = 1
"""Id of the one row that names the leader."""


class OutboxRows:
    """The rows of one outbox.

    Every method is an operation, see ``connections.Steps``; ``dialect`` is the database's name.

    Args:
        table: of the jobs.
        relay_table: of the leader.
        clock: gives the time of a database that has no clock of its own, in ms.
    """

    def __init__(self, table: Table, relay_table: Table, *, clock: Clock) -> None:
        self._table = table
        self._relay = relay_table
        self._clock = clock
        self._is_pending = and_(table.c.relayed_at.is_(None), table.c.failed_at.is_(None))
        self._columns = [table.c[name] for name in PendingRow._fields]

    def exist(self, dialect: str) -> Steps[bool]:
        """Say whether both tables are there."""
        for table in (self._table, self._relay):
            if dialect == "postgresql":
                where: Any = func.to_regclass(literal(table.fullname)).is_not(None)
                reply = yield Step(select(literal(1)).where(where))
            else:
                master = table_clause("sqlite_master", column("name"), schema=table.schema)
                reply = yield Step(select(master.c.name).where(master.c.name == table.name))
            if not reply.rows:
                return False
        return True

    def now(self, dialect: str) -> Steps[int]:
        """Return the time in ms, the same for every relay: that of the database where it has one."""
        if dialect != "postgresql":
            return self._clock()
        reply = yield Step(select(cast(extract("epoch", func.clock_timestamp()) * 1000, BigInteger)))
        return int(reply.value)

    def lead(self, dialect: str, *, owner: str, lease_ms: int) -> Steps[bool]:
        """Become the leader, or remain it, for so many ms; say whether this relay is."""
        now = yield from self.now(dialect)
        columns = self._relay.c
        reply = yield Step(select(columns.owner, columns.expires_at).where(columns.id == _ONLY))
        if not reply.rows:
            first = {"id": _ONLY, "owner": owner, "expires_at": now + lease_ms}
            made = yield Step(insert_if_new(dialect, self._relay), first)
            return made.changed == 1
        ((holder, expires_at),) = reply.rows
        if holder != owner and expires_at >= now:
            return False
        # Of several that see the lease run out, the first changes the row, and the others find it changed.
        is_as_read = and_(columns.id == _ONLY, columns.owner == holder, columns.expires_at == expires_at)
        lease = {"owner": owner, "expires_at": now + lease_ms}
        changed = yield Step(update(self._relay).where(is_as_read).values(**lease))
        return changed.changed == 1

    def release(self, dialect: str, *, owner: str) -> Steps[None]:
        """Let another relay lead at once."""
        columns = self._relay.c
        yield Step(update(self._relay).where(columns.id == _ONLY, columns.owner == owner).values(expires_at=0))

    def pending(self, dialect: str, *, limit: int, without: Collection[str] = ()) -> Steps[list[PendingRow]]:
        """Return the first rows that wait, in the order of their adds.

        By their state and not behind a position: a transaction that began earlier may be committed later, and its
        rows then appear among those that were relayed.
        """
        query = select(*self._columns).where(self._is_pending).order_by(self._table.c.sequence).limit(limit)
        if without:
            query = query.where(self._table.c.queue.not_in(sorted(without)))
        reply = yield Step(query)
        return [PendingRow._make(row) for row in reply.rows]

    def mark_relayed(self, dialect: str, sequences: Sequence[int], *, keeps: bool) -> Steps[int]:
        """Record that jobs are in their queue: delete their rows, or say when; return how many rows that were."""
        chosen = and_(self._table.c.sequence.in_(sequences), self._table.c.relayed_at.is_(None))
        if keeps:
            now = yield from self.now(dialect)
            marked = yield Step(update(self._table).where(chosen).values(relayed_at=now, error=None))
        else:
            marked = yield Step(delete(self._table).where(chosen))
        total = self._relay.c.relayed + marked.changed
        yield Step(update(self._relay).where(self._relay.c.id == _ONLY).values(relayed=total))
        return marked.changed

    def refuse(self, dialect: str, row: PendingRow, *, error: str, is_final: bool) -> Steps[None]:
        """Record that the queue has refused a job, and whether that was the last attempt."""
        failed_at = (yield from self.now(dialect)) if is_final else None
        values = {"attempts": row.attempts + 1, "error": error, "failed_at": failed_at}
        yield Step(update(self._table).where(self._table.c.sequence == row.sequence).values(**values))

    def report(self, dialect: str, error: str | None) -> Steps[None]:
        """Record why the leader cannot go on, or that it can."""
        at = None if error is None else (yield from self.now(dialect))
        yield Step(update(self._relay).where(self._relay.c.id == _ONLY).values(error=error, error_at=at))

    def prune(self, dialect: str, *, older_ms: int, limit: int) -> Steps[int]:
        """Delete some rows that were relayed so long ago; return how many."""
        now = yield from self.now(dialect)
        columns = self._table.c
        old = select(columns.sequence).where(columns.relayed_at < now - older_ms).limit(limit)
        deleted = yield Step(delete(self._table).where(columns.sequence.in_(old)))
        return deleted.changed

    def retry(self, dialect: str, sequences: Collection[int]) -> Steps[int]:
        """Let failed rows be relayed again, all of them or those named; return how many."""
        chosen = update(self._table).where(self._table.c.failed_at.is_not(None))
        if sequences:
            chosen = chosen.where(self._table.c.sequence.in_(list(sequences)))
        reply = yield Step(chosen.values(failed_at=None, attempts=0))
        return reply.changed

    def status(self, dialect: str) -> Steps[OutboxStatus]:
        """Return what the outbox holds."""
        now = yield from self.now(dialect)
        columns, relay = self._table.c, self._relay.c
        by_queue = select(columns.queue, func.count(), func.min(columns.created_at)).where(self._is_pending)
        pending = (yield Step(by_queue.group_by(columns.queue).order_by(columns.queue))).rows
        is_failed = columns.failed_at.is_not(None)
        failed = (yield Step(select(func.count()).select_from(self._table).where(is_failed))).value
        shown = [columns[name] for name in FailedRow.__slots__]
        newest = select(*shown).where(is_failed).order_by(columns.sequence.desc()).limit(_SHOWN)
        failures = (yield Step(newest)).rows if failed else ()
        query = select(relay.owner, relay.expires_at, relay.relayed, relay.error, relay.error_at)
        (leader,) = (yield Step(query)).rows or [(None, 0, 0, None, None)]
        owner, expires_at, relayed, error, error_at = leader
        return OutboxStatus(
            pending={queue: count for queue, count, _ in pending},
            oldest_age_ms=max(0, now - min(oldest for *_, oldest in pending)) if pending else None,
            relayed=relayed,
            failed=failed,
            failures=tuple(FailedRow(*row) for row in failures),
            leader=owner if expires_at >= now else None,
            error=error,
            error_at=error_at,
        )


def defining(dialect: str, *tables: Table) -> Steps[None]:
    """Make tables and their indexes where they do not exist."""
    for statement in definitions(dialect, *tables):
        yield Step(text(statement))


def insert_if_new(dialect: str, table: Table) -> Any:
    """Return a statement that adds a row unless there is one of its primary key."""
    of_dialect = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return of_dialect(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)

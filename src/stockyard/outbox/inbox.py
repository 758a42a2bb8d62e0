"""The inbox: lets the database writes of a job's handler happen once, though the job may run twice."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Self, overload

import msgspec
from sqlalchemy import Executable, Table, bindparam, delete, select, tuple_, update

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.clock import Clock, system_clock
from stockyard.model.duration import Duration
from stockyard.model.job import Job
from stockyard.model.payload import json_of
from stockyard.outbox import tables
from stockyard.outbox.connections import Operator, Step, Steps, operator_of
from stockyard.outbox.database import run_on
from stockyard.outbox.rows import defining, insert_if_new

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from stockyard.outbox.connections import AnyConnection, AsyncConnectionKind, SyncConnection
    from stockyard.outbox.outbox import AnyTarget


class Inbox:
    """A table of the jobs whose handlers have written to your own database.

    A job can run more than once: its worker may die after the commit and before the job's end is written. The
    job's entry is committed together with the handler's own writes, so that a second run finds it and skips them.

    Args:
        table: name of the table, ``"schema.table"`` in another schema. Defaults to ``"stockyard_inbox"``.
        clock: gives the time that is written. Defaults to the system's.

    Raises:
        InvalidOption: the name cannot be a table's.

    Example:
        async def book(job: Job[Fill]) -> dict[str, float]:
            async with AsyncSession(engine) as session, session.begin():
                async with inbox.once(session, job) as entry:
                    if entry.is_first:
                        session.add(Booking(fill=job.data.id))
                        entry.result = {"price": job.data.price}
            return entry.result
    """

    def __init__(self, table: str = "stockyard_inbox", *, clock: Clock = system_clock) -> None:
        self.table: Table = tables.inbox_table(table)
        self._clock = clock
        columns = self.table.c
        self._begin: dict[str, Executable] = {name: insert_if_new(name, self.table) for name in tables.DIALECTS}
        is_entry = (
            columns.queue == bindparam("of_queue"),
            columns.job_id == bindparam("of_job"),
            columns.step == bindparam("of_step"),
        )
        self._find = select(columns.done_at, columns.result).where(*is_entry).with_for_update()
        self._end = (
            update(self.table).where(*is_entry).values(done_at=bindparam("at"), result=bindparam("returned"))
        )

    def once(self, connection: AnyConnection, job: Job[Any], *, step: str = "") -> InboxEntry:
        """Return the entry of a job, for ``with``, or ``async with`` on an asynchronous connection.

        Make your writes inside of the block and only if ``entry.is_first``, in the transaction of this connection,
        which you commit afterwards. Another run of the job at the same time waits for that. If the block raises,
        the entry does not count as done, even if you commit.

        Args:
            connection: a session or connection as for ``Outbox.add``, with its transaction.
            job: the job that runs.
            step: a name for each of several transactions of one handler. Defaults to the only one.

        Raises:
            InvalidOption: the connection is of no known kind, or ``job`` is no job.
        """
        checks.instance("job", job, Job)
        return InboxEntry(self, operator_of(connection), job, checks.line("step", step))

    def ddl(self, dialect: tables.DialectName) -> str:
        """Return the statements that make the table, for a migration; each ends with a semicolon.

        Raises:
            InvalidOption: the inbox cannot be in that database.
        """
        return "".join(f"{statement};\n" for statement in tables.definitions(dialect, self.table))

    @overload
    def create_table(self, target: Engine | SyncConnection) -> None: ...

    @overload
    def create_table(self, target: AsyncEngine | AsyncConnectionKind) -> Awaitable[None]: ...

    def create_table(self, target: AnyTarget) -> Awaitable[None] | None:
        """Make the table where it does not exist.

        On a connection this is part of its transaction; on an engine it has one of its own.
        Await the result with an asynchronous connection or engine.
        """
        return run_on(target, lambda dialect: defining(dialect, self.table))

    @overload
    def prune(self, target: Engine | SyncConnection, older: Duration, limit: int = 1000) -> int: ...

    @overload
    def prune(
        self, target: AsyncEngine | AsyncConnectionKind, older: Duration, limit: int = 1000
    ) -> Awaitable[int]: ...

    def prune(self, target: AnyTarget, older: Duration, limit: int = 1000) -> int | Awaitable[int]:
        """Delete entries that were done so long ago; their jobs would run as if for the first time.

        Args:
            target: an engine, or a connection in its transaction; await the result if it is asynchronous.
            older: how old an entry must be: longer than any of its jobs may wait for another run.
            limit: how many at most. Defaults to 1000.

        Returns:
            How many were deleted; call it again while that is ``limit``.
        """
        age, most = checks.positive_ms("older", older), checks.whole("limit", limit, least=1)
        return run_on(target, lambda _: self._pruning(age, most))

    def _pruning(self, age_ms: int, limit: int) -> Steps[int]:
        columns = self.table.c
        key = (columns.queue, columns.job_id, columns.step)
        old = select(*key).where(columns.done_at < self._clock() - age_ms).limit(limit)
        deleted = yield Step(delete(self.table).where(tuple_(*key).in_(old)))
        return deleted.changed

    def _beginning(self, dialect: str, key: dict[str, str]) -> Steps[tuple[bool, str | None]]:
        """Return whether the job's writes are still to be made, and the result of the run that made them."""
        of_entry = {"of_queue": key["queue"], "of_job": key["job_id"], "of_step": key["step"]}
        while True:
            begun = yield Step(self._begin[dialect], {**key, "created_at": self._clock()})
            if begun.changed == 1:
                return True, None
            found = yield Step(self._find, of_entry)
            # Without a row, the run that had begun was rolled back in between.
            for done_at, result in found.rows:
                return done_at is None, result

    def _ending(self, key: dict[str, str], result: str) -> Steps[None]:
        of_entry = {"of_queue": key["queue"], "of_job": key["job_id"], "of_step": key["step"]}
        yield Step(self._end, {**of_entry, "at": self._clock(), "returned": result})


class InboxEntry:
    """The entry of one job in an inbox, made by ``Inbox.once``.

    Attributes:
        is_first: the job's writes have not been committed yet: make them.
        result: assign what the handler returns; a later run finds it here, as plain JSON values.
    """

    def __init__(self, inbox: Inbox, operator: Operator, job: Job[Any], step: str) -> None:
        self.is_first = False
        self.result: Any = None
        self._inbox = inbox
        self._operator = operator
        self._key = {"queue": job.queue, "job_id": entry_id(job), "step": step}

    def __bool__(self) -> bool:
        return self.is_first

    def __enter__(self) -> Self:
        if self._operator.is_async:
            raise InvalidOption("the connection is an asynchronous one: write 'async with inbox.once(…)'")
        self._opened(*self._operator.run_for_caller(self._inbox._beginning(self._operator.dialect, self._key)))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self.is_first:
            self._operator.run_for_caller(self._inbox._ending(self._key, self._text()))

    async def __aenter__(self) -> Self:
        if not self._operator.is_async:
            raise InvalidOption("the connection is not an asynchronous one: write 'with inbox.once(…)'")
        self._opened(
            *await self._operator.run_for_caller(self._inbox._beginning(self._operator.dialect, self._key))
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self.is_first:
            await self._operator.run_for_caller(self._inbox._ending(self._key, self._text()))

    def _opened(self, is_first: bool, result: str | None) -> None:
        self.is_first = is_first
        if not is_first and result is not None:
            self.result = msgspec.json.decode(result)

    def _text(self) -> str:
        return json_of(self.result, what="the inbox's result of job", of=self._key["job_id"]).decode()


def entry_id(job: Job[Any]) -> str:
    """Return what names a job in an inbox.

    A queue that numbers its jobs begins at 1 again once it was obliterated or its server has lost it; the time of
    the add keeps such a job apart from the one that had the number before.
    """
    return f"{job.id}@{job.timestamp}" if job.id.partition("@")[0].isdecimal() else job.id

"""The outbox: adds jobs in the caller's own database transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, Unpack, overload

from msgspec import UNSET
from sqlalchemy import Executable, Table, func, insert, literal, select

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.clock import Clock, system_clock
from stockyard.model.options import AddOptions
from stockyard.outbox import tables
from stockyard.outbox.connections import Step, Steps, operator_of
from stockyard.outbox.database import run_on
from stockyard.outbox.rows import OutboxRows, defining
from stockyard.outbox.status import OutboxStatus
from stockyard.outbox.stored_job import new_row
from stockyard.produce.queue import JobTuple
from stockyard.topology import Topology

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from stockyard.outbox.connections import AnyConnection, AsyncConnectionKind, SyncConnection

    AnyTarget: TypeAlias = AnyConnection | Engine | AsyncEngine


class OutboxJob(NamedTuple):
    """A job in an outbox; a later job can name it as its ``parent``.

    Attributes:
        queue: its queue's name.
        id: the id that it has in its queue once it is relayed.
    """

    queue: str
    id: str


class Outbox:
    """A table of jobs in your own database: a job is added if, and only if, your transaction is committed.

    An ``OutboxRelay`` moves the jobs to their queues.

    Args:
        topology: the queues.
        table: name of the table, ``"schema.table"`` in another schema. Defaults to ``"stockyard_outbox"``. A
            second table, with ``_relay`` behind its name, holds which relay leads.
        notify: on PostgreSQL, wake the relay by ``NOTIFY`` when the transaction is committed, instead of at its
            next poll. PostgreSQL commits transactions that notify one after the other, so turn it off for a
            database with thousands of commits a second. Defaults to True.
        clock: gives the time that is written. Defaults to the system's.

    Raises:
        InvalidOption: an argument is not what it should be.

    Example:
        outbox = Outbox(shop)

        async with AsyncSession(engine) as session, session.begin():
            session.add(order)
            await outbox.add(session, "orders", "submit", {"order": order.id})
    """

    def __init__(
        self,
        topology: Topology,
        table: str = "stockyard_outbox",
        *,
        notify: bool = True,
        clock: Clock = system_clock,
    ) -> None:
        self.topology = checks.instance("topology", topology, Topology)
        self.table: Table = tables.outbox_table(table)
        self.relay_table: Table = tables.relay_table(table)
        self.channel: str = self.table.fullname.replace(".", "_")[:63]
        self._notifies = checks.flag("notify", notify)
        self._clock = clock
        self._insert: Executable = insert(self.table)
        notified = func.pg_notify(literal(self.channel), literal(""))
        self._insert_and_notify: Executable = insert(self.table).returning(notified)
        self._notify: Executable = select(notified)
        self.rows: OutboxRows = OutboxRows(self.table, self.relay_table, clock=clock)

    @overload
    def add(
        self,
        connection: SyncConnection,
        queue: str,
        name: str,
        data: Any = UNSET,
        *,
        check: bool | None = None,
        **options: Unpack[AddOptions],
    ) -> OutboxJob: ...

    @overload
    def add(
        self,
        connection: AsyncConnectionKind,
        queue: str,
        name: str,
        data: Any = UNSET,
        *,
        check: bool | None = None,
        **options: Unpack[AddOptions],
    ) -> Awaitable[OutboxJob]: ...

    def add(
        self,
        connection: AnyConnection,
        queue: str,
        name: str,
        data: Any = UNSET,
        *,
        check: bool | None = None,
        **options: Unpack[AddOptions],
    ) -> OutboxJob | Awaitable[OutboxJob]:
        """Add one job in the connection's present transaction; it is relayed once that is committed.

        All of the job is checked now, so that what can be committed can be relayed.

        Args:
            connection: a session or connection of SQLAlchemy 2, a connection of psycopg 3 or of ``sqlite3``. With
                an asynchronous one, await the result: ``await outbox.add(session, …)``.
            queue: name of the queue.
            name, data, check: as for ``Queue.add``.
            options: as for ``Queue.add``. A ``delay`` counts from now. Without a ``job_id`` the job gets a unique
                one.

        Returns:
            The job's queue and id; of an asynchronous connection, an awaitable of these.

        Raises:
            UnknownQueue: the topology does not declare the queue.
            InvalidOption: an option is unknown or out of its range, or the connection is of no known kind.
            HandlerError, PayloadError: as from ``Queue.add``.
            ConfigError: the database lacks the outbox's table.
        """
        row = self._checked_row(queue, name, data, options, check)
        operator = operator_of(connection)
        added: OutboxJob | Awaitable[OutboxJob] = operator.run_for_caller(self._adding(operator.dialect, row))
        return added

    @overload
    def add_many(
        self, connection: SyncConnection, queue: str, jobs: Iterable[JobTuple], *, check: bool | None = None
    ) -> list[OutboxJob]: ...

    @overload
    def add_many(
        self, connection: AsyncConnectionKind, queue: str, jobs: Iterable[JobTuple], *, check: bool | None = None
    ) -> Awaitable[list[OutboxJob]]: ...

    def add_many(
        self, connection: AnyConnection, queue: str, jobs: Iterable[JobTuple], *, check: bool | None = None
    ) -> list[OutboxJob] | Awaitable[list[OutboxJob]]:
        """Add many jobs to one queue, in the order given; all are checked before the first is written.

        Args:
            connection, queue, check: as for ``add``.
            jobs: tuples of name, payload and options, as for ``Queue.add_many``.

        Returns:
            Each job's queue and id; of an asynchronous connection, an awaitable of these.

        Raises:
            The errors of ``add``.
        """
        rows = []
        for given in checks.several("jobs", jobs, of="tuples (name, data, options)", example="[('price', {})]"):
            if not isinstance(given, tuple) or not 1 <= len(given) <= 3:
                raise InvalidOption(f"add_many takes tuples (name, data, options); got {checks.shown(given)}")
            data = given[1] if len(given) > 1 else UNSET
            options = checks.by_name("options", given[2] if len(given) > 2 else {}, of="values")
            rows.append(self._checked_row(queue, given[0], data, options, check))
        operator = operator_of(connection)
        added: list[OutboxJob] | Awaitable[list[OutboxJob]] = operator.run_for_caller(
            self._adding_all(operator.dialect, rows)
        )
        return added

    def ddl(self, dialect: tables.DialectName) -> str:
        """Return the statements that make the tables, for a migration; each ends with a semicolon.

        Raises:
            InvalidOption: the outbox cannot be in that database.
        """
        statements = tables.definitions(dialect, self.table, self.relay_table)
        return "".join(f"{statement};\n" for statement in statements)

    @overload
    def create_table(self, target: Engine | SyncConnection) -> None: ...

    @overload
    def create_table(self, target: AsyncEngine | AsyncConnectionKind) -> Awaitable[None]: ...

    def create_table(self, target: AnyTarget) -> Awaitable[None] | None:
        """Make the tables where they do not exist.

        On a connection this is part of its transaction; on an engine it has one of its own.
        Await the result with an asynchronous connection or engine.
        """
        return run_on(target, lambda dialect: defining(dialect, self.table, self.relay_table))

    @overload
    def status(self, target: Engine | SyncConnection) -> OutboxStatus: ...

    @overload
    def status(self, target: AsyncEngine | AsyncConnectionKind) -> Awaitable[OutboxStatus]: ...

    def status(self, target: AnyTarget) -> OutboxStatus | Awaitable[OutboxStatus]:
        """Return what the outbox holds at this moment; await it with an asynchronous connection or engine."""
        return run_on(target, self.rows.status)

    @overload
    def retry(self, target: Engine | SyncConnection, *sequences: int) -> int: ...

    @overload
    def retry(self, target: AsyncEngine | AsyncConnectionKind, *sequences: int) -> Awaitable[int]: ...

    def retry(self, target: AnyTarget, *sequences: int) -> int | Awaitable[int]:
        """Let failed jobs be relayed again; return how many.

        Args:
            target: an engine, or a connection in its transaction; await the result if it is asynchronous.
            sequences: of the rows. Defaults to all that failed.
        """
        return run_on(target, lambda dialect: self.rows.retry(dialect, sequences))

    def _checked_row(
        self, queue: str, name: str, data: Any, options: Mapping[str, Any], check: bool | None
    ) -> dict[str, Any]:
        if check is not None:
            checks.flag("check", check)
        spec = self.topology.spec(queue)
        return new_row(spec, name, data, options, check=check, now=self._clock())

    def _adding(self, dialect: str, row: dict[str, Any]) -> Steps[OutboxJob]:
        notifies = self._notifies and dialect == "postgresql"
        yield Step(self._insert_and_notify if notifies else self._insert, row)
        return OutboxJob(row["queue"], row["job_id"])

    def _adding_all(self, dialect: str, rows: list[dict[str, Any]]) -> Steps[list[OutboxJob]]:
        if rows:
            yield Step(self._insert, rows)
            if self._notifies and dialect == "postgresql":
                yield Step(self._notify)
        return [OutboxJob(row["queue"], row["job_id"]) for row in rows]

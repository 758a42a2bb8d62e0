"""Runs statements on the caller's own connection or session, whichever kind it is: one code for all of them."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import Connection, Executable
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from stockyard.errors import ConfigError, InvalidOption
from stockyard.model import checks
from stockyard.outbox.tables import DIALECTS, dialect_of

if TYPE_CHECKING:
    import psycopg

    SyncConnection: TypeAlias = (
        Session | scoped_session[Any] | Connection | psycopg.Connection[Any] | sqlite3.Connection
    )
    AsyncConnectionKind: TypeAlias = (
        AsyncSession | async_scoped_session[Any] | AsyncConnection | psycopg.AsyncConnection[Any]
    )
    AnyConnection: TypeAlias = SyncConnection | AsyncConnectionKind

T = TypeVar("T")
Values = Mapping[str, Any]
_UNDEFINED_TABLE = "42P01"
"""The SQLSTATE of PostgreSQL."""

NO_VALUES: Values = MappingProxyType({})


class Step(NamedTuple):
    """One statement of an operation.

    Attributes:
        statement: what to run.
        values: of its parameters; of several executions, a list.
    """

    statement: Executable
    values: Values | Sequence[Values] = NO_VALUES


class Reply(NamedTuple):
    """What a statement returned.

    Attributes:
        rows: those that it selects.
        changed: how many rows it inserted, updated or deleted.
    """

    rows: Sequence[Sequence[Any]]
    changed: int

    @property
    def value(self) -> Any:
        """The only column of the only row."""
        ((only,),) = self.rows
        return only


Steps: TypeAlias = Generator[Step, Reply, T]
"""An operation: it yields each statement, is sent the reply, and returns its result."""


class Operator(NamedTuple):
    """How to run operations on one connection.

    Attributes:
        dialect: name of its database.
        execute: runs a statement; of an asynchronous connection, a coroutine function.
        is_async: whether it is that.
    """

    dialect: str
    execute: Callable[[Step], Any]
    is_async: bool

    def run(self, steps: Steps[T]) -> Any:
        """Run an operation; return its result, or, of an asynchronous connection, an awaitable of it."""
        return _run_async(self.execute, steps) if self.is_async else _run(self.execute, steps)

    def run_for_caller(self, steps: Steps[T]) -> Any:
        """Run an operation in a transaction of the caller's, as ``run`` does.

        Raises:
            ConfigError: the database lacks a table; the message says how to make it.
        """
        advised = _advised_async if self.is_async else _advised
        return self._replace(execute=partial(advised, self.execute)).run(steps)


def operator_of(connection: Any) -> Operator:
    """Return what runs operations on a connection or a session, in its present transaction.

    Raises:
        InvalidOption: it is none that is known, or each of its statements would be committed by itself.
    """
    if isinstance(connection, sqlite3.Connection):
        _refuse_autocommit(_commits_by_itself(connection) and not connection.in_transaction)
        return Operator("sqlite", lambda step: _on_sqlite(connection, step), False)
    if isinstance(connection, Session | scoped_session | Connection):
        return Operator(_dialect_name(connection), lambda step: _reply(connection.execute(*step)), False)
    if isinstance(connection, AsyncSession | async_scoped_session | AsyncConnection):

        async def execute(step: Step) -> Reply:
            return _reply(await connection.execute(*step))

        return Operator(_dialect_name(connection), execute, True)
    # Who has a connection of psycopg has imported it; others need not.
    psycopg = sys.modules.get("psycopg")
    if psycopg is not None and isinstance(connection, (psycopg.Connection, psycopg.AsyncConnection)):
        is_idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        _refuse_autocommit(connection.autocommit and is_idle)
        if isinstance(connection, psycopg.AsyncConnection):
            return Operator("postgresql", lambda step: _on_async_psycopg(connection, step), True)
        return Operator("postgresql", lambda step: _on_psycopg(connection, step), False)
    raise InvalidOption(
        "connection must be a session or connection of SQLAlchemy 2, of psycopg 3, or of sqlite3; "
        f"got {checks.shown(connection)}"
    )


def _run(execute: Callable[[Step], Reply], steps: Steps[T]) -> T:
    try:
        step = next(steps)
        while True:
            step = steps.send(execute(step))
    except StopIteration as end:
        result: T = end.value
        return result


async def _run_async(execute: Callable[[Step], Awaitable[Reply]], steps: Steps[T]) -> T:
    reply: Reply | None = None
    while True:
        try:
            step = next(steps) if reply is None else steps.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result
        reply = await execute(step)


def _advised(execute: Callable[[Step], Reply], step: Step) -> Reply:
    with _advising():
        return execute(step)


async def _advised_async(execute: Callable[[Step], Awaitable[Reply]], step: Step) -> Reply:
    with _advising():
        return await execute(step)


@contextmanager
def _advising() -> Iterator[None]:
    """Raise ConfigError where a driver says, itself or through SQLAlchemy, that a table does not exist."""
    try:
        yield
    except Exception as error:
        cause = getattr(error, "orig", None) or error
        if getattr(cause, "sqlstate", None) == _UNDEFINED_TABLE or "no such table" in str(cause):
            raise ConfigError(
                f"the database lacks a table ({str(cause).splitlines()[0]}): make the tables with "
                "create_table(engine) of the outbox or inbox, or by a migration with what its ddl(…) returns"
            ) from error
        raise


def _dialect_name(connection: Any) -> str:
    bound = connection if hasattr(connection, "dialect") else connection.get_bind()
    return checks.one_of("the database of the connection", str(bound.dialect.name), DIALECTS)


def _reply(result: Any) -> Reply:
    return Reply([tuple(row) for row in result] if result.returns_rows else [], result.rowcount)


@lru_cache(maxsize=256)
def _compiled(statement: Executable, dialect_name: str, columns: tuple[str, ...]) -> Any:
    chosen = list(columns) or None
    return statement.compile(dialect=dialect_of(dialect_name), column_keys=chosen)  # type: ignore[attr-defined]


class _Query(NamedTuple):
    """A statement as a plain driver takes it; ``many`` are the values of several executions."""

    text: str
    values: dict[str, Any]
    many: list[dict[str, Any]] | None


def _query(step: Step, dialect_name: str) -> _Query:
    if isinstance(step.values, Mapping):
        compiled = _compiled(step.statement, dialect_name, tuple(step.values))
        return _Query(str(compiled), compiled.construct_params(dict(step.values)), None)
    compiled = _compiled(step.statement, dialect_name, tuple(step.values[0]))
    return _Query(str(compiled), {}, [compiled.construct_params(dict(each)) for each in step.values])


def _on_sqlite(connection: sqlite3.Connection, step: Step) -> Reply:
    query = _query(step, "sqlite")
    cursor = connection.cursor()
    cursor.row_factory = None
    if query.many is None:
        cursor.execute(query.text, query.values)
    else:
        cursor.executemany(query.text, query.many)
    return Reply(cursor.fetchall() if cursor.description else [], cursor.rowcount)


def _on_psycopg(connection: psycopg.Connection[Any], step: Step) -> Reply:
    from psycopg.rows import tuple_row

    query = _query(step, "postgresql")
    with connection.cursor(row_factory=tuple_row) as cursor:
        if query.many is not None:
            cursor.executemany(query.text.encode(), query.many)
            return Reply([], cursor.rowcount)
        cursor.execute(query.text.encode(), query.values)
        return Reply(cursor.fetchall() if cursor.description else [], cursor.rowcount)


async def _on_async_psycopg(connection: psycopg.AsyncConnection[Any], step: Step) -> Reply:
    from psycopg.rows import tuple_row

    query = _query(step, "postgresql")
    async with connection.cursor(row_factory=tuple_row) as cursor:
        if query.many is not None:
            await cursor.executemany(query.text.encode(), query.many)
            return Reply([], cursor.rowcount)
        await cursor.execute(query.text.encode(), query.values)
        return Reply(await cursor.fetchall() if cursor.description else [], cursor.rowcount)


def _commits_by_itself(connection: sqlite3.Connection) -> bool:
    # Since Python 3.12 the attribute `autocommit` decides, unless it has its default.
    chosen = getattr(connection, "autocommit", None)
    return chosen if isinstance(chosen, bool) else connection.isolation_level is None


def _refuse_autocommit(is_without_transaction: bool) -> None:
    if is_without_transaction:
        raise InvalidOption(
            "the connection commits each statement by itself and no transaction is open, so the job would not "
            "depend on your other writes: begin a transaction first"
        )

"""The databases that the tests of outboxes use, and every kind of connection to them."""

import asyncio
import inspect
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker


class OwnDatabase:
    """A database of one test: a file of SQLite, or a schema on the PostgreSQL of the process.

    Attributes:
        url: of SQLAlchemy, without asyncio.
        engine, async_engine: of that.
        schema: what stands before the names of tables, with its dot.
    """

    def __init__(self, url: str, schema: str = "") -> None:
        self.url = url
        self.schema = schema
        self.is_postgresql = url.startswith("postgresql")
        driver = "postgresql+psycopg" if self.is_postgresql else "sqlite"
        self.engine: Engine = create_engine(url.replace(url.split(":")[0], driver, 1))
        driver = "postgresql+psycopg" if self.is_postgresql else "sqlite+aiosqlite"
        self.async_engine: AsyncEngine = create_async_engine(url.replace(url.split(":")[0], driver, 1))

    def connect(self) -> Any:
        """Return a plain connection: of psycopg or of sqlite3."""
        if self.is_postgresql:
            return psycopg.connect(self.url)
        return sqlite3.connect(self.url.removeprefix("sqlite:///"))

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query finds that is committed; `{schema}` stands before names of tables."""
        connection = self.connect()
        try:
            return list(connection.execute(query.format(schema=self.schema)).fetchall())
        finally:
            connection.close()

    def change(self, statement: str) -> None:
        """Run a statement and commit it."""
        connection = self.connect()
        try:
            connection.execute(statement.format(schema=self.schema))
            connection.commit()
        finally:
            connection.close()

    async def aclose(self) -> None:
        self.engine.dispose()
        await self.async_engine.dispose()


class Opened:
    """A connection of some kind in a transaction, whose calls may be awaited whether it is asynchronous or not."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.is_async = inspect.iscoroutinefunction(connection.commit)

    async def commit(self) -> None:
        await settled(self.connection.commit())

    async def rollback(self) -> None:
        await settled(self.connection.rollback())


async def settled(value: Any) -> Any:
    """Return what a call returned, awaited if it is to be."""
    return await value if hasattr(value, "__await__") else value


Opener = Callable[[OwnDatabase], AbstractAsyncContextManager[Opened]]


@asynccontextmanager
async def _session(database: OwnDatabase) -> AsyncIterator[Opened]:
    with Session(database.engine) as session:
        yield Opened(session)


@asynccontextmanager
async def _connection(database: OwnDatabase) -> AsyncIterator[Opened]:
    with database.engine.connect() as connection:
        yield Opened(connection)


@asynccontextmanager
async def _async_session(database: OwnDatabase) -> AsyncIterator[Opened]:
    async with AsyncSession(database.async_engine) as session:
        yield Opened(session)


@asynccontextmanager
async def _async_connection(database: OwnDatabase) -> AsyncIterator[Opened]:
    async with database.async_engine.connect() as connection:
        yield Opened(connection)


@asynccontextmanager
async def _scoped_session(database: OwnDatabase) -> AsyncIterator[Opened]:
    sessions = scoped_session(sessionmaker(database.engine))
    try:
        yield Opened(sessions)
    finally:
        sessions.remove()


@asynccontextmanager
async def _async_scoped_session(database: OwnDatabase) -> AsyncIterator[Opened]:
    sessions = async_scoped_session(async_sessionmaker(database.async_engine), asyncio.current_task)
    try:
        yield Opened(sessions)
    finally:
        await sessions.remove()


@asynccontextmanager
async def _plain(database: OwnDatabase) -> AsyncIterator[Opened]:
    connection = database.connect()
    try:
        yield Opened(connection)
    finally:
        connection.close()


@asynccontextmanager
async def _async_psycopg(database: OwnDatabase) -> AsyncIterator[Opened]:
    connection = await psycopg.AsyncConnection.connect(database.url)
    try:
        yield Opened(connection)
    finally:
        await connection.close()


KINDS: dict[str, Opener] = {
    "session": _session,
    "connection": _connection,
    "scoped session": _scoped_session,
    "async session": _async_session,
    "async scoped session": _async_scoped_session,
    "async connection": _async_connection,
    "plain": _plain,
    "async psycopg": _async_psycopg,
}
"""Every kind of connection."""

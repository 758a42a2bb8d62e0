"""A database by its URL or engine: each operation runs in a transaction of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine

from stockyard.errors import ConfigError, InvalidOption
from stockyard.model import checks
from stockyard.model.masking import mask_secrets
from stockyard.outbox.connections import Steps, operator_of
from stockyard.outbox.tables import DIALECTS

T = TypeVar("T")
Operation = Callable[[str], Steps[T]]
"""Given the database's name, an operation."""

_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


class Database:
    """Runs operations, each in a transaction; those of an engine without asyncio in a thread.

    Args:
        database: a URL, of which an engine is made, or an engine.

    Raises:
        ConfigError: the URL cannot be used, or an outbox cannot be in that database.
        InvalidOption: it is neither URL nor engine.
    """

    def __init__(self, database: str | Engine | AsyncEngine) -> None:
        self._owns = isinstance(database, str)
        self.engine: Engine | AsyncEngine = _engine(database) if isinstance(database, str) else database
        if not isinstance(self.engine, Engine | AsyncEngine):
            raise InvalidOption(f"database must be a URL or an engine of SQLAlchemy; got {checks.shown(database)}")
        self.dialect: str = self.engine.dialect.name
        if self.dialect not in DIALECTS:
            raise ConfigError(f"an outbox can be in PostgreSQL or SQLite; the database is {self.dialect}")

    async def run(self, operation: Operation[T]) -> T:
        """Run an operation in a transaction, and commit it."""
        if isinstance(self.engine, AsyncEngine):
            async with self.engine.begin() as connection:
                result: T = await operator_of(connection).run(operation(self.dialect))
                return result
        return await asyncio.to_thread(self._run, self.engine, operation)

    async def aclose(self) -> None:
        """Close the connections of an engine that was made here."""
        if self._owns and isinstance(self.engine, Engine):
            await asyncio.to_thread(self.engine.dispose)

    def _run(self, engine: Engine, operation: Operation[T]) -> T:
        with engine.begin() as connection:
            result: T = operator_of(connection).run(operation(self.dialect))
            return result


def run_on(target: Any, operation: Operation[T]) -> T | Awaitable[T]:
    """Run an operation on a connection in its transaction, or on an engine in one of its own.

    Returns the result; of an asynchronous connection or engine, an awaitable of it.
    """
    if isinstance(target, Engine):
        with target.begin() as connection:
            return run_on(connection, operation)
    if isinstance(target, AsyncEngine):
        return Database(target).run(operation)
    operator = operator_of(target)
    result: T | Awaitable[T] = operator.run(operation(operator.dialect))
    return result


def _engine(url: str) -> Engine:
    scheme, separator, rest = url.partition("://")
    try:
        return create_engine(f"{_DRIVERS.get(scheme, scheme)}{separator}{rest}", pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(
            f"the database's URL is not usable: {mask_secrets(str(error))}; expected postgresql://… or sqlite:///…"
        ) from error
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the driver of the database is not installed ({error.name}): pip install 'stockyard[outbox]'"
        ) from error


def first_line(error: BaseException) -> str:
    """Return what went wrong, without the statement and its values, which may hold a payload."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0] or type(error).__name__

"""The tables of outboxes and inboxes, for PostgreSQL and SQLite."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from sqlalchemy import BigInteger, Column, Dialect, Index, Integer, MetaData, Table, Text, text
from sqlalchemy.dialects.postgresql.psycopg import dialect as _Postgresql  # noqa: N812
from sqlalchemy.dialects.sqlite.pysqlite import dialect as _Sqlite  # noqa: N812
from sqlalchemy.schema import CreateIndex, CreateTable

from stockyard.errors import InvalidOption
from stockyard.model import checks

DialectName = Literal["postgresql", "sqlite"]
DIALECTS: tuple[DialectName, ...] = get_args(DialectName)
"""The databases that an outbox can be in."""

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}(\.[a-z_][a-z0-9_]{0,39})?")

# SQLite numbers rows by itself where the type is exactly INTEGER.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


def dialect_of(name: str) -> Dialect:
    """Return what writes SQL for a database as its plain driver takes it, with values by name.

    Raises:
        InvalidOption: an outbox cannot be in that database.
    """
    checks.one_of("dialect", name, DIALECTS)
    if name == "sqlite":
        return _Sqlite(paramstyle="named")
    made: Dialect = _Postgresql(paramstyle="pyformat")  # type: ignore[no-untyped-call]
    return made


def outbox_table(name: str) -> Table:
    """Return the table of an outbox: one row for each job, until it is relayed or as long as it is kept."""
    schema, plain = _split(name)
    waits = text("relayed_at IS NULL AND failed_at IS NULL")
    was_relayed = text("relayed_at IS NOT NULL")
    return Table(
        plain,
        MetaData(),
        Column("sequence", _NUMBER, primary_key=True, autoincrement=True),
        Column("id", Text, nullable=False),
        Column("queue", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("data", Text, nullable=False),
        Column("options", Text, nullable=False),
        Column("job_id", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("error", Text),
        Column("relayed_at", BigInteger),
        Column("failed_at", BigInteger),
        Index(f"{plain}_pending", "sequence", postgresql_where=waits, sqlite_where=waits),
        Index(f"{plain}_relayed", "relayed_at", postgresql_where=was_relayed, sqlite_where=was_relayed),
        schema=schema,
        sqlite_autoincrement=True,
    )


def relay_table(name: str) -> Table:
    """Return the table beside an outbox that holds which relay leads, and what relays have done."""
    schema, plain = _split(name)
    return Table(
        f"{plain}_relay",
        MetaData(),
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("owner", Text, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        Column("relayed", BigInteger, nullable=False, server_default=text("0")),
        Column("error", Text),
        Column("error_at", BigInteger),
        schema=schema,
    )


def inbox_table(name: str) -> Table:
    """Return the table of an inbox: one row for each job, or step of a job, that has begun."""
    schema, plain = _split(name)
    return Table(
        plain,
        MetaData(),
        Column("queue", Text, primary_key=True),
        Column("job_id", Text, primary_key=True),
        Column("step", Text, primary_key=True),
        Column("created_at", BigInteger, nullable=False),
        Column("done_at", BigInteger),
        Column("result", Text),
        Index(f"{plain}_done", "done_at"),
        schema=schema,
    )


def definitions(dialect_name: str, *tables: Table) -> list[str]:
    """Return the statements that create tables and their indexes where they do not exist."""
    dialect = dialect_of(dialect_name)
    statements: list[Any] = []
    for table in tables:
        statements.append(CreateTable(table, if_not_exists=True))
        statements += [CreateIndex(each, if_not_exists=True) for each in sorted(table.indexes, key=_index_name)]
    return [str(each.compile(dialect=dialect)).strip() for each in statements]


def _index_name(index: Index) -> str:
    return str(index.name)


def _split(name: str) -> tuple[str | None, str]:
    """Return a table's schema, if it names one, and the table's own name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidOption(
            "table must be a name of at most 40 lower-case letters, digits and '_', with a schema before a '.' if "
            f"it needs one; got {checks.shown(name)}"
        )
    schema, _, plain = name.rpartition(".")
    return schema or None, plain

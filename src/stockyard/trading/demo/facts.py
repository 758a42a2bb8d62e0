"""A file of facts that outlive every process: one SQLite transaction each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Facts:
    """An SQLite file that several processes write.

    Args:
        path: the file, made when missing.
        schema: statements that make its tables where they are missing.
    """

    def __init__(self, path: Path, schema: str) -> None:
        # A second process waits for its turn, for longer than any transaction here takes.
        self._database = sqlite3.connect(path, timeout=20, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        # What a killed process committed is in the file; only a power cut could lose it.
        self._database.execute("PRAGMA synchronous=NORMAL")
        for statement in schema.split(";"):
            self._database.execute(statement)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        return self._database.execute(query, values).fetchall()

    def write(self, statement: str, *values: Any) -> int:
        """Run one statement as a transaction of its own; return how many rows it changed."""
        return self._database.execute(statement, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything in the block happens, or nothing does."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

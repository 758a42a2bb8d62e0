"""Wakes a relay when a transaction with new rows is committed, on PostgreSQL by psycopg."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from stockyard._aio.repeats import repeats
from stockyard._aio.retry_delay import RetryDelay

_log = logging.getLogger(__name__)


class CommitListener:
    """Listens on a connection of its own; the relay polls as well, so that a lost one loses nothing but time.

    Args:
        engine: says where the database is and how to log in.
        channel: what producers notify.
        wake: called for each notification.
    """

    def __init__(self, engine: Engine | AsyncEngine, channel: str, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._channel = channel
        self._wake = wake
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, where the database and its driver can."""
        if self._engine.dialect.driver in ("psycopg", "psycopg_async"):
            self._task = self._task or asyncio.create_task(self._run(), name="outbox listener")

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        delay = RetryDelay(first=0.5, longest=30)
        while True:
            try:
                await self._listen(delay)
            except Exception as error:
                repeats.warn(_log, "outbox relay polls, as it cannot listen for commits", error)
            await delay.wait()

    async def _listen(self, delay: RetryDelay) -> None:
        import psycopg
        from psycopg.sql import SQL, Identifier

        dialect, url = self._engine.dialect, self._engine.url
        _, login = dialect.create_connect_args(url)
        async with await psycopg.AsyncConnection.connect(**login, autocommit=True) as connection:
            await connection.execute(SQL("LISTEN {}").format(Identifier(self._channel)))
            delay.reset()
            # What was committed before it listened.
            self._wake()
            async for _ in connection.notifies():
                self._wake()

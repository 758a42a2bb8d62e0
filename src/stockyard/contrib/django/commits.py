"""Adds jobs together with a transaction of Django: after its commit, or in it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Unpack

from django.db import connections, transaction

from stockyard.contrib.django.project import project_app
from stockyard.errors import InvalidOption
from stockyard.model.options import AddOptions

if TYPE_CHECKING:
    from stockyard.outbox.connections import SyncConnection


def add_on_commit(
    queue: str, name: str, data: Any, *, using: str | None = None, **options: Unpack[AddOptions]
) -> None:
    """Add a job once the present transaction is committed; at once where there is none.

    A transaction that is rolled back adds nothing. A process that dies between the commit and the add, or a server
    that is away then, loses the job: where that must not happen, use an ``Outbox`` with ``outbox_connection()``.

    Args:
        queue: name of the queue.
        name: chooses the handler.
        data: the payload, as it is now: later changes are not seen if it is a plain value or a new object.
        using: the database. Defaults to Django's default.
        options: as for ``Queue.add``.

    Raises:
        ServerError: as of ``Queue.add``, out of the block of the transaction, which is committed by then.
    """
    add = functools.partial(project_app().queue(queue).sync.add, name, data, **options)
    transaction.on_commit(add, using=using)


def outbox_connection(using: str = "default") -> SyncConnection:
    """Return the connection below Django's, for ``Outbox.add`` in an open ``transaction.atomic()``.

    Args:
        using: the database, on PostgreSQL with psycopg 3 or on SQLite.

    Raises:
        InvalidOption: no transaction is open: the job would be committed by itself.
    """
    connection = connections[using]
    if not connection.in_atomic_block:
        raise InvalidOption("there is no open transaction: call Outbox.add within transaction.atomic()")
    connection.ensure_connection()
    raw: SyncConnection = connection.connection
    return raw

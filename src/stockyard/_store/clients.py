"""Reads the server's list of connections."""

from __future__ import annotations

import re
from typing import Any

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.numbers import whole
from stockyard._store.snapshots import WorkerInfo
from stockyard._wire.client_name import worker_of, worker_spellings

_NAME = re.compile(r" name=(\S+)")


def client_names(reply: Any) -> list[str]:
    """Return the names in a ``CLIENT LIST`` reply; one that was refused has none."""
    return _NAME.findall(reply.decode(errors="replace")) if isinstance(reply, bytes) else []


def count_workers(keyspace: QueueKeyspace, names: list[str]) -> int:
    """Return how many of the named connections are a queue's workers."""
    spellings = worker_spellings(keyspace.keys.naming, keyspace.keys.queue)
    return sum(worker_of(name, spellings) is not None for name in names)


async def read_workers(keyspace: QueueKeyspace) -> list[WorkerInfo]:
    """Return the connections of a queue's workers.

    Raises:
        ServerRefused: the user may not list connections.
    """
    reply = await (await keyspace.holder()).call("CLIENT", "LIST")
    spellings = worker_spellings(keyspace.keys.naming, keyspace.keys.queue)
    workers = []
    for line in reply.decode(errors="replace").splitlines():
        facts = {name: value for name, _, value in (part.partition("=") for part in line.split(" "))}
        worker = worker_of(facts.get("name", ""), spellings)
        if worker is not None:
            workers.append(
                WorkerInfo(
                    worker,
                    keyspace.queue,
                    connection=whole(facts.get("id")) or 0,
                    address=facts.get("addr", ""),
                    age=whole(facts.get("age")) or 0,
                    idle=whole(facts.get("idle")) or 0,
                )
            )
    return workers

"""Reads the server's list of connections."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from stockyard._store.keyspace import QueueKeyspace
from stockyard._wire.client_name import worker_of, worker_spellings

_NAME = re.compile(r" name=(\S+)")


class Client(NamedTuple):
    """A worker's blocking connection: the worker's name, which may be empty, and the server's facts."""

    worker: str
    facts: dict[str, str]


def client_names(reply: Any) -> list[str]:
    """Return the names in a ``CLIENT LIST`` reply; one that was refused has none."""
    return _NAME.findall(reply.decode(errors="replace")) if isinstance(reply, bytes) else []


def count_workers(keyspace: QueueKeyspace, names: list[str]) -> int:
    """Return how many of the named connections are a queue's workers."""
    spellings = worker_spellings(keyspace.keys.prefix, keyspace.queue)
    return sum(worker_of(name, spellings) is not None for name in names)


async def read_workers(keyspace: QueueKeyspace) -> list[Client]:
    """Return the connections of a queue's workers.

    Raises:
        ServerRefused: the user may not list connections.
    """
    reply = await keyspace.server.call("CLIENT", "LIST")
    spellings = worker_spellings(keyspace.keys.prefix, keyspace.queue)
    found = []
    for line in reply.decode(errors="replace").splitlines():
        facts = {name: value for name, _, value in (part.partition("=") for part in line.split(" "))}
        worker = worker_of(facts.get("name", ""), spellings)
        if worker is not None:
            found.append(Client(worker, facts))
    return found

"""Connection names by which BullMQ's tools discover workers and readers of events (protocol section 5.6)."""

from __future__ import annotations

import base64
import string
from urllib.parse import quote

from stockyard.model.naming import Naming


def worker_client_name(naming: Naming, queue: str, worker: str | None = None) -> str:
    """Return the name of a worker's blocking connection, as BullMQ's ``getWorkers`` expects it.

    A queue whose name holds a colon is reached from Node by a longer prefix, so its name is split the way
    a Node peer would split it: everything up to the last colon belongs to the prefix.
    """
    name = _spelled(*naming.node(queue))
    return f"{name}:w:{worker}" if worker else name


def reader_client_name(naming: Naming, queue: str) -> str:
    """Return the name of a connection that reads events, as BullMQ's ``getQueueEvents`` expects it."""
    return f"{_spelled(*naming.node(queue))}:qe"


def worker_spellings(naming: Naming, queue: str) -> tuple[str, ...]:
    """Return every name that an unnamed worker's connection may have.

    A queue whose name holds a colon may have been split there or, by peers that allow the colon, at its prefix.
    """
    return tuple({_spelled(*naming.node(queue)), _spelled(naming.prefix, queue)})


def worker_of(client: str, spellings: tuple[str, ...]) -> str | None:
    """Return the name of the worker that a connection is, empty for one without a name, or None for no worker."""
    for name in spellings:
        if client == name:
            return ""
        if client.startswith(f"{name}:w:"):
            return client[len(name) + 3 :]
    return None


def _spelled(prefix: str, queue: str) -> str:
    # Servers take only ASCII in a name. Node's workers of such a prefix have none, and are in no list.
    return f"{quote(prefix, safe=string.punctuation)}:{base64.b64encode(queue.encode()).decode()}"

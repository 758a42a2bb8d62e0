"""Connection names by which BullMQ's tools discover workers (protocol section 5.6)."""

from __future__ import annotations

import base64


def worker_client_name(prefix: str, queue: str, worker: str | None = None) -> str:
    """Return the name of a worker's blocking connection, as BullMQ's ``getWorkers`` expects it.

    A queue whose name holds a colon is reached from Node by a longer prefix, so its name is split the way
    a Node peer would split it: everything up to the last colon belongs to the prefix.
    """
    head, _, tail = f"{prefix}:{queue}".rpartition(":")
    name = f"{head}:{base64.b64encode(tail.encode()).decode()}"
    return f"{name}:w:{worker}" if worker else name

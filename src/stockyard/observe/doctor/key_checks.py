"""Looks whether all programs declare the same of the keys of a queue's jobs."""

from __future__ import annotations

from collections.abc import Sequence

from stockyard._store.jobs import key_use
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard.errors import ServerError
from stockyard.model.naming import Naming
from stockyard.model.printable import printable
from stockyard.observe.doctor.finding import Finding, warning
from stockyard.topology import QueueSpec


async def check_keys(server: Server, *, naming: Naming, queues: Sequence[QueueSpec]) -> list[Finding]:
    """Return a finding on each queue whose jobs another program adds by another declaration of keys.

    A queue that cannot be read now has none: other findings say why.
    """
    found = [await _check_queue(server, naming, spec) for spec in queues if spec.shards == 1]
    return [finding for finding in found if finding is not None]


async def _check_queue(server: Server, naming: Naming, spec: QueueSpec) -> Finding | None:
    keyspace = QueueKeyspace(server, naming, spec.name)
    try:
        if spec.key_order is None:
            return _undeclared(spec.name) if await key_use.has_lines(keyspace) else None
        job = await key_use.find_unlined(keyspace)
    except ServerError:
        return None
    return None if job is None else _beside_its_line(spec.name, job)


def _undeclared(queue: str) -> Finding:
    return warning(
        f"keys of {queue}",
        "its jobs are in order per key, and this program declares neither ordered=True nor key_concurrency",
        "jobs that this program adds with a key run beside the others of the key, and its workers start the next "
        "job of a key later",
        "declare the queue in the same way in all programs",
    )


def _beside_its_line(queue: str, job: key_use.UnlinedJob) -> Finding:
    return warning(
        f"keys of {queue}",
        printable(f"job {job.id} has the key {job.key!r}, and was not added in the order of this key"),
        "it runs beside the other jobs of its key, in any order",
        "find the program that adds it, which declares the queue without ordered=True or key_concurrency; declare "
        "the queue in the same way in all programs",
    )

"""Reads queues and jobs without changing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from stockyard._store.link import QueueLink
from stockyard._store.rows import Row
from stockyard._store.scripts import load
from stockyard._wire.client_name import worker_client_name
from stockyard.errors import ServerRefused

_STATE = load("reading.state")
_PAGE = load("reading.page")
_HEALTH = load("reading.health")

_JOB_FIELDS = (
    "name data opts timestamp priority delay atm ats stc progress failedReason stacktrace parentKey defa "
    "returnvalue processedOn finishedOn pb"
).split()


class Ending(NamedTuple):
    """Where a job is and how it ended: the result as JSON text, or the reason."""

    state: str
    exists: bool
    value: bytes | None
    reason: str | None


class QueueFacts(NamedTuple):
    """A queue's numbers at one moment; times are ms since the epoch, 0 for none."""

    wait: int
    prioritized: int
    active: int
    delayed: int
    waiting_children: int
    completed: int
    failed: int
    legacy_paused: int
    is_paused: int
    waiting_since: int
    running_since: int
    workers: int


async def read_job(link: QueueLink, job_id: str) -> Row | None:
    """Return a job's row for ``rows.stored_job``, or None when it does not exist."""
    fields = await link.server.call("HMGET", link.keys.job(job_id), *_JOB_FIELDS)
    return None if all(each is None for each in fields) else [*fields, job_id.encode()]


async def read_page(link: QueueLink, state: str, first: int, last: int, *, newest_first: bool) -> list[Row]:
    """Return rows of the jobs at positions ``first`` to ``last`` inclusive of one state."""
    rows: list[Row] = await link.run(_PAGE, link.base, state, first, last, int(newest_first))
    return rows


async def read_state(link: QueueLink, job_id: str) -> Ending:
    """Return where a job is, and how it ended if it did."""
    state, exists, value, reason = await link.run(_STATE, link.keys.job(job_id), job_id)
    return Ending(state.decode(), bool(exists), value, reason.decode(errors="replace") if reason else None)


async def read_facts(links: Sequence[QueueLink]) -> list[QueueFacts]:
    """Return the numbers of several queues of one server in one round trip.

    Raises:
        ServerRefused: a key of a queue is not what the protocol says, or the user may not read it.
    """
    *replies, clients = await links[0].server.run_many(
        [(_HEALTH, link.script_keys(_HEALTH), (link.base,)) for link in links], ("CLIENT", "LIST")
    )
    counts = _worker_counts(clients)
    facts = []
    for link, reply in zip(links, replies, strict=True):
        if isinstance(reply, ServerRefused):
            raise reply
        workers = counts.get(worker_client_name(link.keys.prefix, link.queue), 0)
        facts.append(QueueFacts._make([*reply, workers]))
    return facts


def _worker_counts(clients: Any) -> dict[str, int]:
    """Workers by queue, from the names of their blocking connections; a hidden list counts none."""
    counts: dict[str, int] = {}
    if isinstance(clients, bytes):
        for line in clients.decode(errors="replace").splitlines():
            name = next((part[5:] for part in line.split(" ") if part.startswith("name=")), "")
            queue = name.split(":w:", 1)[0]
            counts[queue] = counts.get(queue, 0) + 1
    return counts

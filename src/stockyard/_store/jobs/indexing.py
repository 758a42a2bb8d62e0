"""The declared index of a queue's jobs by values of their payloads: kept up behind adds, and read by searches."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from stockyard._store.ids import id_of
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.connection import Command, accepted
from stockyard._store.packing import packable_id
from stockyard._store.records import StoredRecord
from stockyard._store.scripts import load
from stockyard._wire.fields import STORED
from stockyard._wire.keys import PREFIXES
from stockyard.errors import ServerError
from stockyard.model.search_index import bounds_of, entries_of, entry_of, id_in

_NOTE = load("indexing.note")
_pack = msgspec.msgpack.Encoder().encode
_log = logging.getLogger(__name__)


class IndexedJob(Protocol):
    """What an index asks of a job that was added."""

    data: str
    timestamp: int


async def note_added(keyspace: QueueKeyspace, jobs: Sequence[IndexedJob], answers: Sequence[Any]) -> None:
    """Note jobs that were added; ``answers`` are their ids, others are no new jobs.

    A job that could not be noted is in its queue all the same: a search comes to it as to any other.
    """
    if keyspace.indexed:
        added = zip(jobs, answers, strict=False)
        await note(keyspace, [(job.data, job.timestamp, each) for job, each in added if isinstance(each, str)])


async def note(keyspace: QueueKeyspace, jobs: Sequence[tuple[str | bytes, int, str]]) -> None:
    """Note jobs, each by its payload as JSON text, its creation in ms and its id."""
    entries: dict[str, list[str | msgspec.Raw]] = {}
    for data, timestamp, job_id in jobs:
        for path, entry in entries_of(keyspace.indexed, data, timestamp, job_id):
            entries.setdefault(path, []).append(packable_id(entry))
    if not entries:
        return
    try:
        await keyspace.run(_NOTE, keyspace.base, _pack(entries), random.random())
    except ServerError as error:
        _log.warning("%d jobs of queue %s are not in its index: %s", len(jobs), keyspace.queue, error)


async def read(
    keyspace: QueueKeyspace, path: str, value: str, skip: int, size: int
) -> tuple[list[StoredRecord], int | None]:
    """Return records of jobs with a value, the newest first, and how many to pass over then; None at the end."""
    least, most = bounds_of(value)
    command = ("ZRANGE", _key(keyspace, path), f"({most}", f"[{least}", "BYLEX", "REV", "LIMIT", skip, size)
    ids = [id_in(id_of(entry)) for entry in await keyspace.server.call(*command)]
    reads: list[Command] = [("HMGET", keyspace.keys.job(job_id), *STORED) for job_id in ids]
    replies = map(accepted, await keyspace.server.ask(reads)) if reads else ()
    records = [
        StoredRecord._make([*fields, job_id.encode(errors="surrogateescape")])
        for job_id, fields in zip(ids, replies, strict=True)
        if any(field is not None for field in fields)
    ]
    return records, skip + size if len(ids) == size else None


async def find_noted(
    keyspace: QueueKeyspace, path: str, value: str, jobs: Sequence[tuple[int, str]]
) -> list[bool]:
    """Say of each job, by its creation in ms and its id, whether the index has it under a value."""
    key = _key(keyspace, path)
    commands: list[Command] = [("ZSCORE", key, entry_of(value, *job)) for job in jobs]
    return [accepted(score) is not None for score in await keyspace.server.ask(commands)] if commands else []


def _key(keyspace: QueueKeyspace, path: str) -> str:
    return f"{keyspace.base}{PREFIXES['index']}{path}"

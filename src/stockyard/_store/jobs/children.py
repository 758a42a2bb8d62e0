"""Reads what became of a job's children, and detaches one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from stockyard._store.ids import shown_id
from stockyard._store.jobs.rows import json_or_text
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import StoredRecord
from stockyard._store.scripts import load
from stockyard.model.family import ChildKind

_COUNT = load("children.count")
_DETACH = load("children.detach")
_LOOK = load("children.look")
_SETTLE = load("children.settle")
_PAGE = 500
"""Children that one call reads, about."""

_BATCH = 50
"""Jobs that one call looks at, unless many children of each are asked for."""

_pack = msgspec.msgpack.Encoder().encode

_KEYS: dict[ChildKind, str] = {
    "processed": "processed",
    "unprocessed": "dependencies",
    "ignored": "ignored",
    "failed": "unsuccessful",
}


async def read_values(keyspace: QueueKeyspace, job_id: str) -> dict[str, Any]:
    """Return the results of the children that completed, by their full keys."""
    return await _read_all(keyspace, job_id, "processed")


async def read_ignored(keyspace: QueueKeyspace, job_id: str) -> dict[str, str]:
    """Return why children failed whose failure the job went on without, by their full keys."""
    return await _read_all(keyspace, job_id, "ignored")


async def read_failed(keyspace: QueueKeyspace, job_id: str) -> list[str]:
    """Return the full keys of the children that failed the job, in the order that they failed."""
    return list(await _read_all(keyspace, job_id, "failed"))


async def _read_all(keyspace: QueueKeyspace, job_id: str, kind: ChildKind) -> dict[str, Any]:
    found, cursor = await read_page(keyspace, job_id, kind, 0, _PAGE)
    while cursor:
        more, cursor = await read_page(keyspace, job_id, kind, cursor, _PAGE)
        found |= more
    return found


async def read_page(
    keyspace: QueueKeyspace, job_id: str, kind: ChildKind, cursor: int, count: int
) -> tuple[dict[str, Any], int]:
    """Return about ``count`` children of one kind, and the cursor of those that follow, 0 at the end."""
    key = _key(keyspace, job_id, kind)
    if kind == "failed":
        found = await keyspace.server.call("ZRANGE", key, cursor, cursor + count)
        following = cursor + count if len(found) > count else 0
        return dict.fromkeys(shown_id(each) for each in found[:count]), following
    command = "SSCAN" if kind == "unprocessed" else "HSCAN"
    following, found = await keyspace.server.call(command, key, cursor, "COUNT", count)
    if kind == "unprocessed":
        return dict.fromkeys(shown_id(each) for each in found), int(following)
    return _pairs(found, kind), int(following)


async def count_children(keyspace: QueueKeyspace, job_id: str) -> dict[ChildKind, int]:
    """Return how many children there are of each kind, at one moment."""
    return dict(zip(_KEYS, await keyspace.run(_COUNT, keyspace.keys.job(job_id)), strict=True))


async def detach(keyspace: QueueKeyspace, job_id: str) -> int:
    """Detach a child from its parent; return 1, 0 when that does not wait for it, or a ``ReplyCode``."""
    return int(await keyspace.run(_DETACH, keyspace.keys.job(job_id)))


async def settle(keyspace: QueueKeyspace, job: str | bytes) -> None:
    """Bring up to date, part by part, what a finished job is to wait for when it is retried.

    What stays are its children that have not ended, and those that failed it; not those that are gone. It may be
    broken off and begun again: the job stays finished.

    Args:
        keyspace: its queue.
        job: its full key.
    """
    cursor = b"0"
    while True:
        cursor = await keyspace.run(_SETTLE, job, cursor)
        if cursor == b"0":
            return


async def look(
    keyspace: QueueKeyspace, jobs: Sequence[str], limit: int
) -> list[tuple[StoredRecord, list[str]] | None]:
    """Read jobs of any queues by their keys: the records, and the keys of at most ``limit`` children of each."""
    replies: list[Any] = []
    batch = min(_BATCH, max(1, _BATCH * 20 // limit))
    for at in range(0, len(jobs), batch):
        replies += await keyspace.run(_LOOK, _pack(jobs[at : at + batch]), limit)
    return [
        (StoredRecord._make(reply[0]), [shown_id(child) for child in reply[1]]) if reply else None
        for reply in replies
    ]


def _key(keyspace: QueueKeyspace, job_id: str, kind: ChildKind) -> str:
    return keyspace.keys.of_job(job_id, _KEYS[kind])


def _pairs(found: Sequence[bytes], kind: ChildKind) -> dict[str, Any]:
    pairs = zip(found[::2], found[1::2], strict=True)
    if kind == "ignored":
        return {shown_id(key): reason.decode(errors="replace") for key, reason in pairs}
    return {shown_id(key): json_or_text(text) for key, text in pairs}

"""Says where programs disagree on whether the jobs of one key of a queue are in order."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from stockyard._store.ids import shown_id
from stockyard._store.keyspace import QueueKeyspace

_LOOKED_AT = 50
"""Jobs that one look reads: those that were started last, and those that start next."""


class UnlinedJob(NamedTuple):
    """A job with a key that waits or runs beside the line of its key.

    Attributes:
        id: its id.
        key: its key.
    """

    id: str
    key: str


class _Options(msgspec.Struct):
    key: str | None = None


_options = msgspec.json.Decoder(_Options).decode


async def has_lines(keyspace: QueueKeyspace) -> bool:
    """Say whether jobs of the queue are in lines of keys, or stand for their keys."""
    holder = await keyspace.holder()
    return bool(await holder.call("EXISTS", keyspace.keys["keys_heads"], keyspace.keys["keys_lines"]))


async def find_unlined(keyspace: QueueKeyspace) -> UnlinedJob | None:
    """Return a job of a queue in order that was added without asking the line of its key, or None.

    Only some jobs are looked at: those that run, and those that start next.
    """
    holder = await keyspace.holder()
    lists = await holder.ask(
        [("LRANGE", keyspace.keys[each], -_LOOKED_AT, -1) for each in ("active", "wait")]
        + [("ZRANGE", keyspace.keys["prioritized"], 0, _LOOKED_AT - 1)]
    )
    ids = [job_id for found in lists if isinstance(found, list) for job_id in found]
    base = keyspace.base.encode()
    rows = (
        await holder.ask([("HMGET", base + job_id, "opts", "stockyard.key", "rjk") for job_id in ids])
        if ids
        else []
    )
    for job_id, row in zip(ids, rows, strict=True):
        key = _key_of(row)
        if key is not None:
            return UnlinedJob(shown_id(job_id), key)
    return None


def _key_of(row: Any) -> str | None:
    """Return the key in the options of a job that no line knows, or None; runs of schedules are in none."""
    if not isinstance(row, list) or row[0] is None or row[1] or row[2] or b'"key":' not in row[0]:
        return None
    try:
        return _options(row[0]).key
    except msgspec.MsgspecError:
        return None

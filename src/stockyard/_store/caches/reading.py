"""Reads single entries by plain commands, which cost the server a tenth of a script."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from stockyard._store.caches.caching import CacheKeyspace, Found
from stockyard._store.net.connection import accepted
from stockyard._wire.own_keys import stored_key

_HEAD = struct.Struct("<dIII")
"""Fresh until (ms), how long the load took (ms), what the entry counts for (bytes), length of its tags; see
``lua/lib/caches/entries.lua``."""


class PlainEntry(NamedTuple):
    """An entry that was read without a script.

    Attributes:
        found: what it holds; its tags, if it has any, are not known to be current.
        member: its name among the uses.
        used_us: when it was read, by the server's clock.
    """

    found: Found
    member: str
    used_us: int


async def read_one(keyspace: CacheKeyspace, cache: str, key: str) -> PlainEntry | None:
    """Return an entry, or None where there is none; its use is to be noted by the caller: see ``note_uses``."""
    path = f"{cache}::e:{stored_key(key)}"
    entry, time = await keyspace.server.ask([("GET", keyspace.keys.base + path), ("TIME",)])
    if accepted(entry) is None or len(entry) < _HEAD.size:
        return None
    seconds, microseconds = accepted(time)
    now_us = int(seconds) * 1_000_000 + int(microseconds)
    fresh_until, took_ms, size, tags_length = _HEAD.unpack_from(entry)
    value_at = _HEAD.size + tags_length
    found = Found(
        entry[value_at:],
        int((fresh_until * 1000 - now_us) // 1000),
        took_ms,
        b"%.0f" % fresh_until,
        entry[_HEAD.size : value_at],
    )
    return PlainEntry(found, f"{size}:{path}", now_us)


async def note_uses(keyspace: CacheKeyspace, uses: Mapping[str, int]) -> None:
    """Let entries count as used at these times, in us, where they still are.

    Raises:
        ServerError: it may not be noted, or the server is full.
    """
    scores = [part for member, used in uses.items() for part in (used, member)]
    accepted(await keyspace.server.call("ZADD", keyspace.keys.uses, "XX", "GT", *scores))

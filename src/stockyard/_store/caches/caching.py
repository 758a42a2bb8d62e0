"""Reads and writes the entries of caches, takes and gives back the locks of loads, and keeps the budget."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from stockyard._store.net.refusals import FULL
from stockyard._store.net.server import Server
from stockyard._store.numbers import whole
from stockyard._store.records import ReplyCode
from stockyard._store.scripts import Script, load
from stockyard._wire.own_keys import CacheKeys, lock_job, lock_queue, stored_key
from stockyard.errors import ServerRefused
from stockyard.model.naming import Naming

_READ = load("caching.read")
_WRITE = load("caching.write")
_WRITE_IN_PLACE = load("caching.write_in_place")
_CLAIM = load("caching.claim")
_RELEASE = load("caching.release")
_DELETE = load("caching.delete")
_EVICT_TO = load("caching.evict_to")
_pack = msgspec.msgpack.Encoder().encode
_unpack_tags = msgspec.msgpack.Decoder(list[str]).decode

BATCH = 100
"""Entries that one script reads or writes."""

UNBOUNDED = -1
"""The budget of a server that evicts by itself."""

STORED, OUTDATED, NO_ROOM = 1, 0, ReplyCode.NO_ROOM
"""What became of an entry: there, older than what happened since its load began, or refused by the budget."""

_PAGE = 1000


class CacheKeyspace:
    """The caches of one prefix on one server.

    Args:
        server: the server.
        naming: how keys are spelled.
    """

    def __init__(self, server: Server, naming: Naming) -> None:
        self.server = server
        self.naming = naming
        self.keys: CacheKeys = CacheKeys(naming)

    async def run(self, script: Script, *args: str | bytes | int | float) -> Any:
        """Run a script that makes its keys itself, of what they begin with."""
        return await self.server.run(script, (self.keys.base,), self.keys.base, *args)

    @property
    def place(self) -> str:
        """The server's address and what the keys begin with, which no other caches have."""
        return f"{self.server.address} {self.keys.base}"


class Found(NamedTuple):
    """An entry as it was read.

    Attributes:
        value: JSON text; empty for nothing.
        fresh_ms: how long it stays fresh; below 0, for how long it has been stale.
        took_ms: how long its load took.
        stamp: distinguishes it from later writes.
        tags: as ``invalidated_by`` reads them.
    """

    value: bytes
    fresh_ms: int
    took_ms: int
    stamp: bytes
    tags: bytes


class NewEntry(NamedTuple):
    """An entry to write.

    Attributes:
        key: its key.
        value: JSON text; empty for nothing.
        ttl_ms, stale_ms: how long it is fresh, and how long it is kept after that.
        took_ms: how long its load took.
        token: of the lock under which it was loaded; empty for one that was not loaded.
        tags: under which it is invalidated.
        versions: of these tags when the load began; empty for those of now.
    """

    key: str
    value: bytes
    ttl_ms: int
    stale_ms: int = 0
    took_ms: int = 0
    token: str = ""
    tags: Sequence[str] = ()
    versions: Sequence[str] = ()


class CacheTotals(NamedTuple):
    """What one cache holds, and how many of its entries left to make room."""

    bytes: int = 0
    entries: int = 0
    evictions: int = 0


class Written(NamedTuple):
    """What became of entries, each ``STORED``, ``OUTDATED`` or ``NO_ROOM``.

    And what the cache holds now, unless the call took no more and no less room than there was.
    """

    answers: list[int]
    totals: CacheTotals | None


class Claim(NamedTuple):
    """The answer to a claim: the lock (``versions``), the entry (``found``), or neither: another has the lock."""

    versions: list[str] | None = None
    found: Found | None = None


class Memory(NamedTuple):
    """The server's memory, its limit (0 for none), None where it hides it; and the bytes of all caches."""

    used: int | None
    limit: int | None
    cached: int


async def read(keyspace: CacheKeyspace, cache: str, keys: Sequence[str]) -> list[Found | None]:
    """Return the entries of these keys, None where there is none."""
    wanted = [stored_key(key) for key in keys]
    found: list[Found | None] = []
    while len(found) < len(wanted):
        replies = await keyspace.run(_READ, cache, _pack(wanted[len(found) :]))
        found += [None if reply is None else Found._make(reply) for reply in replies]
    return found


async def write(
    keyspace: CacheKeyspace,
    cache: str,
    entries: Sequence[NewEntry],
    budget: int,
    uses: Mapping[str, int] | None = None,
) -> Written:
    """Write entries.

    Args:
        keyspace, cache, entries: what and where.
        budget: bytes for all caches together, or ``UNBOUNDED``.
        uses: when entries were read that are not noted yet, by their members; see ``reading``. Defaults to none.

    Raises:
        ServerRefused: see ``is_full``; nothing was written.
    """
    rows = [
        (
            stored_key(entry.key),
            _as_text(entry.value),
            entry.ttl_ms,
            entry.stale_ms,
            entry.took_ms,
            entry.token,
            entry.tags,
            entry.versions,
        )
        for entry in entries
    ]
    # A version is for tags.
    version = _new_version() if any(entry.tags for entry in entries) else ""
    answers = await keyspace.run(_WRITE, cache, budget, _pack(rows), version, _scores(uses))
    number = len(entries)
    return Written(answers[:number], CacheTotals._make(answers[number:]) if len(answers) > number else None)


async def write_in_place(
    keyspace: CacheKeyspace, cache: str, entry: NewEntry, budget: int, uses: Mapping[str, int] | None = None
) -> bool:
    """Write an entry without tags and token if one is there that counts for as much; say whether it was.

    The arguments and errors are those of ``write``.
    """
    return bool(
        await keyspace.run(
            _WRITE_IN_PLACE,
            cache,
            budget,
            stored_key(entry.key),
            entry.value,
            entry.ttl_ms,
            entry.stale_ms,
            entry.took_ms,
            _scores(uses),
        )
    )


async def claim(
    keyspace: CacheKeyspace,
    cache: str,
    key: str,
    token: str,
    *,
    lease_ms: int,
    stale_ms: int,
    seen: bytes,
    tags: Sequence[str],
    lifetime_ms: int,
) -> Claim:
    """Take the lock for loading an entry, unless it is held or the entry is there.

    Args:
        keyspace, cache, key: the entry.
        token: of the lock.
        lease_ms: how long the lock holds unless it is renewed.
        stale_ms: an entry that is stale no longer than this will do.
        seen: stamp of an entry that will not do; empty for none.
        tags, lifetime_ms: of the entry that will be loaded.
    """
    kind, result = await keyspace.run(
        _CLAIM,
        cache,
        stored_key(key),
        token,
        lease_ms,
        stale_ms,
        seen,
        _pack(tags),
        lifetime_ms,
        _new_version(),
    )
    if kind == 1:
        return Claim(versions=[version.decode() for version in result])
    return Claim(found=Found._make(result)) if kind == 2 else Claim()


async def release(keyspace: CacheKeyspace, cache: str, key: str, token: str) -> None:
    """Give up a lock; one that is not held any more is left alone."""
    queue, job = lock_of(cache, key)
    lock = f"{keyspace.naming.place(queue)}:{job}:lock"
    await keyspace.server.run(_RELEASE, (lock,), lock, token)


async def delete(keyspace: CacheKeyspace, cache: str, keys: Sequence[str]) -> int:
    """Delete entries; return how many there were. Loads of these keys that run anywhere count as outdated."""
    deleted = 0
    for at in range(0, len(keys), BATCH):
        unwanted = _pack([stored_key(key) for key in keys[at : at + BATCH]])
        deleted += int(await keyspace.run(_DELETE, cache, unwanted))
    return deleted


async def invalidate(keyspace: CacheKeyspace, cache: str, tags: Sequence[str]) -> int:
    """Let every entry under these tags hold no more, however many there are; return how many tags were known."""
    # An entry whose tag has no version is none; the next write gives it a new one.
    start = keyspace.keys.tags(cache)
    return int(await keyspace.server.call("DEL", *(start + tag for tag in tags)))


async def evict_to(keyspace: CacheKeyspace, budget: int) -> dict[str, CacheTotals]:
    """Let entries go until all caches are within so many bytes; return what each of them holds then."""
    for _ in range(1000):
        is_reached, totals = await keyspace.run(_EVICT_TO, budget)
        if is_reached:
            break
    counted = zip(totals[::2], totals[1::2], strict=True)
    numbers = {name.decode(errors="replace"): whole(number) or 0 for name, number in counted}
    caches = sorted({name.rpartition(":")[0] for name in numbers} - {""})
    return {
        cache: CacheTotals(*(numbers.get(f"{cache}:{field}", 0) for field in CacheTotals._fields))
        for cache in caches
    }


async def drop(keyspace: CacheKeyspace, cache: str) -> int:
    """Delete every entry, tag and lock of a cache; return how many entries there were.

    What is being loaded anywhere counts as outdated.
    """
    dropped = 0
    start = keyspace.keys.entries(cache)
    async for page in _scan(keyspace.server, start):
        dropped += await delete(keyspace, cache, [key.removeprefix(start) for key in page])
    for start in (keyspace.keys.tags(cache), keyspace.keys.locks(cache)):
        async for page in _scan(keyspace.server, start):
            await keyspace.server.call("UNLINK", *page)
    return dropped


async def names(keyspace: CacheKeyspace) -> list[str]:
    """Return the caches that have entries, tags or locks, by looking through all keys of the server."""
    found: set[str] = set()
    async for page in _scan(keyspace.server, keyspace.keys.base):
        found.update(key.removeprefix(keyspace.keys.base).partition("::")[0] for key in page)
    # What belongs to all caches begins with a colon.
    return sorted(name for name in found if not name.startswith(":"))


async def read_memory(keyspace: CacheKeyspace) -> Memory:
    """Ask the server how much of its memory is used, and by the caches."""
    info, cached = await keyspace.server.ask([("INFO", "memory"), ("HGET", keyspace.keys.totals, "bytes")])
    text = info.decode(errors="replace") if isinstance(info, bytes) else ""
    used, limit = (re.search(rf"^{name}:(\d+)", text, re.M) for name in ("used_memory", "maxmemory"))
    return Memory(
        int(used[1]) if used else None,
        int(limit[1]) if limit else None,
        (whole(cached) or 0) if isinstance(cached, bytes) else 0,
    )


def is_full(error: ServerRefused) -> bool:
    """Say whether the server refused because its memory is full."""
    return str(error).startswith(FULL)


def invalidated_by(key: str, found: Found) -> list[str]:
    """Return what ends a copy beside the word of its key: the entry's tags, and the name of a key that is cut."""
    tags = _unpack_tags(found.tags)[::2] if found.tags else []
    stored = stored_key(key)
    return tags if stored == key else [*tags, stored]


def lock_of(cache: str, key: str) -> tuple[str, str]:
    """Return the queue and the job whose lock the lock of an entry looks like, for who renews those of jobs."""
    return lock_queue(cache), lock_job(stored_key(key))


async def _scan(server: Server, start: str) -> AsyncIterator[list[str]]:
    pattern = re.sub(r"([*?\[\]\\])", r"\\\1", start) + "*"
    cursor, holder = b"0", await server.at(start)
    while True:
        cursor, page = await holder.call("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)
        if page:
            yield [key.decode(errors="replace") for key in page]
        if cursor == b"0":
            return


def _scores(uses: Mapping[str, int] | None) -> bytes:
    return _pack([part for member, used in uses.items() for part in (used, member)]) if uses else b""


def _new_version() -> str:
    # Never one that was used before, whatever the server has forgotten.
    return secrets.token_hex(8)


def _as_text(value: bytes) -> msgspec.Raw:
    """The server's msgpack knows no bytes: the same bytes, marked as text."""
    return msgspec.Raw(b"\xdb" + len(value).to_bytes(4, "big") + value)

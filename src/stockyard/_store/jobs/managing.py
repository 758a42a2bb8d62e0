"""Changes a queue as a whole: pause, limits, and jobs by the thousand, a bounded number in each call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from stockyard._store import effects
from stockyard._store.ids import shown_id
from stockyard._store.jobs import children, coalescing, keyed
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.scripts import load
from stockyard._wire.fields import MAX_EVENTS
from stockyard._wire.keys import JOB_SUFFIXES, PREFIXES, SUFFIXES
from stockyard.topology import Rate

_PAUSE = load("managing.pause")
_RESUME = load("managing.resume")
_CONFIGURE = load("managing.configure")
_CLEAN = load("managing.clean")
_OBLITERATE = load("managing.obliterate")
_RETRY = load("managing.retry")
_PROMOTE = load("managing.promote")
_PUBLISH = load("managing.publish")
_PAUSE_FOR = load("managing.pause_for")
_CLEAR_RATE_LIMIT = load("managing.clear_rate_limit")
_RELEASE_DEDUPLICATION = load("managing.release_deduplication")

CHUNK = 100
"""Jobs that one call changes at most, some two milliseconds of the server."""

_TRIMMED = 10_000
"""Entries of the event stream that one call takes out at most."""

_PAGE = 1000
"""Names that one call reads at most."""

_LIMITED = 9007199254740991
"""What the window's counter holds while nothing may start: more than any limit."""

_MAX_BYTES = "stockyard.events.maxBytes"

_pack = msgspec.msgpack.Encoder().encode
_NO_PARENTS = _pack([])


async def pause(keyspace: QueueKeyspace) -> None:
    """Let no job start until ``resume``."""
    await keyspace.run(_PAUSE)


async def resume(keyspace: QueueKeyspace) -> bool:
    """Let jobs start again; what a BullMQ 5 had set aside waits first, part by part.

    Say whether they do: nothing changes while the queue is halted.
    """
    left = 1
    while left > 0:
        left = await keyspace.run(_RESUME, CHUNK)
    return left == 0


async def configure(keyspace: QueueKeyspace, limits: Mapping[str, int | None]) -> bool:
    """Set fields of the queue's ``meta``, or take them off with None; workers that may go on are woken.

    Say whether one of them has changed.
    """
    given = _pack({name: value or False for name, value in limits.items()})
    return bool(await keyspace.run(_CONFIGURE, given))


async def set_concurrency(keyspace: QueueKeyspace, limit: int | None) -> bool:
    """Bound how many jobs run at a time over all workers, None takes the bound off; say whether it has changed."""
    return await configure(keyspace, {"concurrency": limit})


async def set_rate(keyspace: QueueKeyspace, rate: Rate | None) -> bool:
    """Bound how many jobs start in a time over all workers, None takes that off; say whether it has changed."""
    limits = (None, None) if rate is None else (rate.max, rate.duration_ms)
    return await configure(keyspace, dict(zip(("max", "duration"), limits, strict=True)))


class EventLimits(NamedTuple):
    """How much a queue's event stream keeps.

    Attributes:
        entries: about so many.
        size: about so many bytes of results, reasons and other texts of 1,000 bytes or more.
    """

    entries: int
    size: int


async def set_event_limits(keyspace: QueueKeyspace, entries: int | None, size: int | None) -> bool:
    """Set what is not None, and cut the stream to its entries; say whether a limit has changed."""
    given = {MAX_EVENTS: entries, _MAX_BYTES: size}
    has_changed = await configure(keyspace, {name: limit for name, limit in given.items() if limit is not None})
    if entries is not None:
        await trim_events(keyspace, entries)
    return has_changed


async def read_event_limits(keyspace: QueueKeyspace) -> EventLimits:
    """Return the limits of the event stream, the defaults where none were set."""
    entries, size = await keyspace.server.call("HMGET", keyspace.keys["meta"], MAX_EVENTS, _MAX_BYTES)
    return EventLimits(int(entries or 10_000), int(size or 16 * 2**20))


async def pause_for(keyspace: QueueKeyspace, duration_ms: int) -> None:
    """Let limited workers start nothing for so long."""
    await keyspace.run(_PAUSE_FOR, _LIMITED, duration_ms)


async def clear_rate_limit(keyspace: QueueKeyspace) -> bool:
    """Begin a new window of the rate limit; a worker that waits for the old one to end is woken.

    Say whether there was a window, or a limit by hand.
    """
    return bool(await keyspace.run(_CLEAR_RATE_LIMIT))


async def drain(keyspace: QueueKeyspace, *, delayed: bool) -> int:
    """Remove what waits; return how many jobs. If there were any, events say so to those who wait for results."""
    removed = len(await keyed.clear(keyspace))
    for state in ("wait", "paused", "prioritized", *(("delayed",) if delayed else ())):
        removed += len(await _clean(keyspace, state, "", 0, notifies=keyed.IF_ANY))
    return removed


async def clean(keyspace: QueueKeyspace, state: str, latest: int, limit: int) -> list[str]:
    """Remove jobs of one state that are there since ``latest`` (ms) or longer; return their ids.

    Args:
        keyspace: the queue.
        state: as a ``JobState`` names it.
        latest: the youngest that go.
        limit: how many at most; 0 is no limit.
    """
    if state != "waiting":
        return await _clean(keyspace, state, latest, limit, notifies=keyed.ALWAYS)
    removed = await _clean(keyspace, "wait", latest, limit, notifies=keyed.ALWAYS)
    # Where a BullMQ 5 keeps what waits while its queue is paused.
    if (not limit or len(removed) < limit) and await keyspace.server.call("EXISTS", keyspace.keys["paused"]):
        removed += await _clean(keyspace, "paused", latest, limit and limit - len(removed), notifies=keyed.ALWAYS)
    if not limit or len(removed) < limit:
        removed += await keyed.clear(keyspace, latest, limit and limit - len(removed))
    return removed


async def _clean(
    keyspace: QueueKeyspace, state: str, latest: int | str, limit: int, *, notifies: int
) -> list[str]:
    removed: list[str] = []
    passed, parents = 0, _NO_PARENTS
    while passed >= 0 or parents != _NO_PARENTS:
        room = min(CHUNK, limit - len(removed)) if limit else CHUNK
        if passed < 0:
            room = 0
        ids, at, parents = await keyspace.run(
            _CLEAN, keyspace.base, state, latest, room, max(passed, 0), notifies, parents
        )
        removed += [shown_id(each) for each in ids]
        passed = at if room else -1
        if limit and len(removed) >= limit:
            passed = -1
    return removed


async def obliterate(keyspace: QueueKeyspace, *, force: bool) -> int:
    """Pause the queue and remove everything of it.

    Returns 0, ``JOBS_ACTIVE`` (nothing was changed) or ``QUEUE_RESUMED``.
    """
    code = await _obliterate(keyspace, "first", force)
    while code == 1:
        code = await _obliterate(keyspace, "next", force)
    if code == 0:
        # While the queue is still paused: what is added meanwhile goes with the last calls.
        await _sweep(keyspace)
        code = 1
    while code == 1:
        code = await _obliterate(keyspace, "last", force)
    if code == 0 and force:
        await effects.forget_all(keyspace)
    return code


async def _obliterate(keyspace: QueueKeyspace, stage: str, force: bool) -> int:
    return int(await keyspace.run(_OBLITERATE, keyspace.base, CHUNK, stage, int(force)))


_SWEPT_PREFIXES = [prefix for name, prefix in PREFIXES.items() if name != "effect"]
"""What was done outside is known by its effects alone: they outlive the queue."""

_SWEPT = re.compile(
    f"(?:{'|'.join((*_SWEPT_PREFIXES, 'metrics:'))}).*|[^:]+(?:{'|'.join(JOB_SUFFIXES.values())})?".encode(),
    re.DOTALL,
)
"""What no list of the queue leads to; a queue whose name goes on where this one's ends has other keys."""

_LISTED = {suffix.encode() for suffix in SUFFIXES.values()}


async def _sweep(keyspace: QueueKeyspace) -> None:
    base = keyspace.base.encode()
    pattern = re.sub(rb"([\\*?\[\]^-])", rb"\\\1", base) + b"*"
    cursor, server = b"0", await keyspace.holder()
    while True:
        cursor, keys = await server.call("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)
        names = [key[len(base) :] for key in keys]
        found = [base + name for name in names if name not in _LISTED and _SWEPT.fullmatch(name)]
        types = await keyspace.server.ask([("TYPE", key) for key in found]) if found else []
        own = [key for key, kind in zip(found, types, strict=True) if not _is_alien(key, kind)]
        if own:
            await keyspace.server.call("UNLINK", *own)
        if int(cursor) == 0:
            return


def _is_alien(key: bytes, kind: bytes) -> bool:
    """Whether it is the sorted set that another queue, whose name goes on here, keeps its failed jobs in."""
    return key.endswith(JOB_SUFFIXES["ignored"].encode()) and kind == b"zset"


async def retry_all(keyspace: QueueKeyspace, state: str, latest: int, limit: int | None) -> int:
    """Put jobs that ended by ``latest`` (ms) back to wait, the oldest first; return how many.

    Those that have expired stay as they are: a worker would drop them.
    """
    left, again, passed, settled = limit, 0, 0, b""
    while left is None or left > 0:
        room = CHUNK if left is None else min(CHUNK, left)
        ended = await _first_ended(keyspace, state, latest, passed, room) if coalescing.coalesces(keyspace) else []
        found, waiting, unsettled, now_passed = await keyspace.run(
            _RETRY, keyspace.base, state, latest, room, passed, settled, keyspace.clock()
        )
        found, passed = found + now_passed - passed, now_passed
        again += waiting
        await coalescing.settle(keyspace, ended, by_hand=True)
        if left is not None:
            left -= waiting
        if unsettled:
            await children.settle(keyspace, keyspace.base.encode() + unsettled)
        elif found < room:
            break
        settled = unsettled
    return again


async def _first_ended(keyspace: QueueKeyspace, state: str, latest: int, first: int, room: int) -> list[str]:
    key = keyspace.keys[state]
    ids = await keyspace.server.call("ZRANGEBYSCORE", key, "-inf", latest, "LIMIT", first, room)
    return [shown_id(each) for each in ids]


async def promote_all(keyspace: QueueKeyspace) -> int:
    """Let the delayed jobs run now; return how many."""
    # What is delayed anew in the meantime stays.
    left = int(await keyspace.server.call("ZCARD", keyspace.keys["delayed"]))
    promoted = 0
    while left > 0:
        found, ready = await keyspace.run(_PROMOTE, keyspace.base, min(CHUNK, left))
        promoted += ready
        left = left - found if found else 0
    return promoted


async def release_deduplication(keyspace: QueueKeyspace, deduplication_id: str, owner: str | None = None) -> bool:
    """Free a deduplication id, if this job has it or no job is given; say whether it was taken, by that job."""
    if owner is not None:
        return bool(await keyspace.run(_RELEASE_DEDUPLICATION, keyspace.base, deduplication_id, owner))
    return bool(await keyspace.server.call("DEL", keyspace.keys.owner(deduplication_id)))


async def trim_events(keyspace: QueueKeyspace, length: int) -> int:
    """Cut the event stream to about its last ``length`` entries; return how many went."""
    trimmed = 0
    # Without a limit of its own, one call takes out about 10,000 entries.
    for _ in range(1 + int(await keyspace.server.call("XLEN", keyspace.keys["events"])) // _TRIMMED):
        gone = int(
            await keyspace.server.call("XTRIM", keyspace.keys["events"], "MAXLEN", "~", length, "LIMIT", _TRIMMED)
        )
        trimmed += gone
        if not gone:
            break
    return trimmed


async def publish_event(keyspace: QueueKeyspace, name: str, fields: Mapping[str, str]) -> str:
    """Put an event into the queue's stream, which keeps its usual length; return its stream id."""
    pairs = [text for pair in fields.items() for text in pair]
    entry = await keyspace.run(_PUBLISH, _pack(["event", name, *pairs]))
    return str(entry.decode())

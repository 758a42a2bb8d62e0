"""Jobs of one key: lets the next out of the key's line when one has ended; looks at keys, parked ones too."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from stockyard._store.ids import shown_id
from stockyard._store.jobs import children
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.connection import accepted
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.packing import packable_id
from stockyard._store.scripts import load
from stockyard.model.key_order import KeyInfo, KeyOrder, KeyState

FEED = load("keyed.feed")
_REPAIR = load("keyed.repair")
_LIST = load("keyed.list")
_LENGTHS = load("keyed.lengths")
_LOOK = load("keyed.look")
_RESUME = load("keyed.resume")
_REPLAY = load("keyed.replay")
_CLEAR = load("keyed.clear")
_pack = msgspec.msgpack.Encoder().encode

_UNSETTLED = 1
_ROOM = 500
"""Jobs that one call removes."""
_LINES = 1000
"""Lines whose lengths one call says."""


class Place(NamedTuple):
    """How far a look through all keys has come."""

    stage: str = "first"
    cursor: str = "0"


FIRST = Place()


def order_at(keyspace: QueueKeyspace) -> KeyOrder | None:
    """Return what the queue declares of the jobs that have a key, or None."""
    arrangement = keyspace.arrangement
    return None if arrangement is None else arrangement.keys


@lru_cache(maxsize=256)
def packed_rule(order: KeyOrder) -> bytes:
    """Return a declaration in the form that is sent."""
    return _pack(rule_of(order))


def rule_of(order: KeyOrder) -> dict[str, Any]:
    """Return a declaration as the scripts read it."""
    return {
        "concurrency": order.concurrency,
        "weights": dict(order.weights),
        "passes": order.passes,
        "parks": order.parks,
    }


def feed_call(keyspace: QueueKeyspace, order: KeyOrder, job_ids: Sequence[str]) -> ScriptCall:
    """Return the call that lets the next jobs of the keys out of their lines for which these stand no more."""
    ids = [each if each.isascii() else packable_id(each) for each in job_ids]
    arguments = (keyspace.base, keyspace.clock(), packed_rule(order), _pack(ids))
    return ScriptCall(FEED, keyspace.script_keys(FEED), arguments)


async def feed(keyspace: QueueKeyspace, order: KeyOrder, job_ids: Sequence[str]) -> None:
    """Look at jobs that may have ended or were tried again, and let the next of their keys out of their lines."""
    await keyspace.run(FEED, *feed_call(keyspace, order, job_ids).arguments)


async def repair(
    keyspace: QueueKeyspace, order: KeyOrder | None, place: Place, *, interval_ms: int
) -> Place | None:
    """Look through a part of the keys; return where to go on, or None at the end.

    Args:
        keyspace: the queue.
        order: what it declares; None for what the program declares that lined the jobs up.
        place: where to begin. ``FIRST`` begins a look, unless another worker began one in this interval.
        interval_ms: between two looks.
    """
    rule = b"" if order is None else packed_rule(order)
    stage, cursor = await keyspace.run(
        _REPAIR, keyspace.base, keyspace.clock(), rule, interval_ms, place.stage, place.cursor
    )
    return Place(stage.decode(), cursor.decode()) if stage else None


async def read_keys(keyspace: QueueKeyspace, *, state: str, most: int) -> list[KeyInfo]:
    """Return keys that have jobs.

    Args:
        keyspace: the queue.
        state: ``"parked"`` for those alone; empty for all.
        most: how many at most.
    """
    found: list[KeyInfo] = []
    cursor = b"0"
    while len(found) < most:
        cursor, rows = await keyspace.run(_LIST, keyspace.base, state, cursor)
        found += [key_info(row, keyspace.clock()) for row in rows]
        if int(cursor) == 0:
            break
    return found[:most]


async def read_longest(keyspace: QueueKeyspace, most: int, *, looked_at: int) -> list[KeyInfo]:
    """Return keys by how long their lines are, those with the longest first.

    Args:
        keyspace: the queue.
        most: how many at most.
        looked_at: lines whose lengths are compared, at most: those that are there for longest.
    """
    lengths: dict[bytes, int] = {}
    for first in range(0, looked_at, _LINES):
        flat = await keyspace.run(_LENGTHS, keyspace.base, first, _LINES)
        lengths.update(zip(flat[::2], flat[1::2], strict=True))
        if len(flat) < 2 * _LINES:
            break
    longest = heapq.nsmallest(most, lengths, key=lambda key: (-lengths[key], key))
    names = keyspace.script_keys(_LOOK)
    calls = [ScriptCall(_LOOK, names, (keyspace.base, key, 1)) for key in longest]
    replies = await keyspace.server.run_many(calls)
    now = keyspace.clock()
    return [key_info(row, now) for rows, _ in map(accepted, replies) for row in rows][:most]


async def look(keyspace: QueueKeyspace, key: str, *, most: int) -> tuple[list[KeyInfo], list[str]]:
    """Return one key, once for each job that stands for it, and the first ids of its line."""
    rows, ids = await keyspace.run(_LOOK, keyspace.base, key, most)
    return [key_info(row, keyspace.clock()) for row in rows], [shown_id(each) for each in ids]


def key_info(row: Sequence[Any], now: int) -> KeyInfo:
    """Read a row of ``key_rows``; ``now`` is ms since the epoch."""
    key, head, state, length, added, reason = row
    age = max(now - int(added), 0) / 1000 if added.isdigit() else 0.0
    return KeyInfo(
        key.decode(errors="replace"),
        KeyState(state.decode()),
        length,
        shown_id(head),
        age,
        reason.decode(errors="replace") or None,
    )


async def resume(keyspace: QueueKeyspace, order: KeyOrder, key: str) -> str | None:
    """Let a parked key go on behind its failed job; return that job's id, or None where the key is not parked."""
    reply = await keyspace.run(_RESUME, keyspace.base, keyspace.clock(), packed_rule(order), key)
    return None if isinstance(reply, int) else shown_id(reply)


async def replay(keyspace: QueueKeyspace, key: str) -> tuple[int, str]:
    """Run the failed job of a parked key again; return 0 and its id.

    In place of 0 stands ``WRONG_STATE``, ``JOB_MISSING``, or ``JOB_EXPIRED`` where a worker would drop the job.
    """
    settled = 0
    while True:
        reply = await keyspace.run(_REPLAY, keyspace.base, key, settled, keyspace.clock())
        if isinstance(reply, list):
            return int(reply[0]), shown_id(reply[1])
        if isinstance(reply, bytes):
            return 0, shown_id(reply)
        if reply != _UNSETTLED:
            return int(reply), ""
        parked = await keyspace.server.call("HGET", keyspace.keys["keys_parked"], key)
        if parked is not None:
            await children.settle(keyspace, keyspace.base.encode() + parked)
        settled = 1


ALWAYS, IF_ANY = 1, 2
"""When a call that removes jobs puts an event into the stream."""


async def clear(
    keyspace: QueueKeyspace, latest: int | str = "", limit: int = 0, *, notifies: int = IF_ANY
) -> list[str]:
    """Remove jobs that wait in lines; return their ids.

    Args:
        keyspace: the queue.
        latest: the youngest that go, in ms since the epoch; empty for all.
        limit: how many at most; 0 is no limit.
        notifies: when events say so.
    """
    removed: list[str] = []
    line = skip = 0
    while line >= 0 and not (limit and len(removed) >= limit):
        room = min(_ROOM, limit - len(removed)) if limit else _ROOM
        ids, line, skip = await keyspace.run(_CLEAR, keyspace.base, latest, room, line, skip, notifies)
        removed += [shown_id(each) for each in ids]
    return removed
